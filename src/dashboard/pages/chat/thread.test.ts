import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { StoredMessage } from "../../../core/message.ts";
import type { RunStatus } from "../../../core/run.ts";
import { ChatThread } from "./thread.ts";

const server = vi.hoisted(() => ({
  runs: [] as { run_id: string; agent_id: string; status: string; error: null }[],
  messages: [] as object[],
  activities: undefined as ((activity: unknown) => void) | undefined,
  followed: new Map<string, { after: number; onEvent: (event: unknown) => void }>(),
  calls: [] as Record<string, unknown>[],
  answer: async (): Promise<object> => ({}),
}));

vi.mock("../../live/live.ts", () => ({
  subscribe: (
    request: { channel: string; run_id: string; after: number },
    listener: { onEvent: (event: unknown) => void },
  ) => {
    if (request.channel === "activities") server.activities = (activity) => listener.onEvent(activity);
    else server.followed.set(request.run_id, { after: request.after, onEvent: (event) => listener.onEvent(event) });
    return () => {
      if (request.channel === "activities") server.activities = undefined;
      else server.followed.delete(request.run_id);
    };
  },
  call: (op: Record<string, unknown>) => {
    server.calls.push(op);
    return server.answer();
  },
}));

vi.mock("../../live/api.ts", () => ({
  getJson: async (path: string) => {
    if (path.startsWith("/api/runs")) return { runs: server.runs };
    return server.messages.length > 0 ? { messages: server.messages } : Promise.reject({ code: "THREAD_NOT_FOUND" });
  },
  sendJson: async () => undefined,
}));

function stored(runId: string, status: RunStatus): void {
  server.runs.unshift({ run_id: runId, agent_id: "a", status, error: null });
  const messages: StoredMessage[] = [
    { role: "user", content: `ask ${runId}`, run_id: runId, at: 1 },
    { role: "assistant", content: [{ type: "text", text: `answer ${runId}` }], run_id: runId, at: 2 },
  ];
  server.messages.push(...(status === "completed" ? messages : messages.slice(0, 1)));
}

async function opened(threadId: string | undefined): Promise<ChatThread> {
  const thread = new ChatThread(threadId);
  thread.start();
  await vi.advanceTimersByTimeAsync(10);
  return thread;
}

const turns = (thread: ChatThread) =>
  thread.turns.value?.map(({ asked, live, stored, sending }) => [
    asked,
    live ? "live" : stored.length,
    typeof sending === "object" ? (sending?.code ?? null) : sending,
  ]);

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("requestAnimationFrame", (work: () => void) => setTimeout(work, 16));
  vi.stubGlobal("cancelAnimationFrame", clearTimeout);
  Object.assign(server, { runs: [], messages: [], activities: undefined, calls: [], answer: async () => ({}) });
  server.followed.clear();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("a page that comes in mid-answer shows what is stored and follows the running run from its first event", async () => {
  stored("r1", "completed");
  stored("r2", "running");
  const thread = await opened("t");
  expect(turns(thread)).toEqual([
    ["ask r1", 1, null],
    ["ask r2", "live", null],
  ]);
  expect([...server.followed].map(([runId, { after }]) => [runId, after])).toEqual([["r2", 0]]);
});

test("half an answer of a stopped run is read from its journal", async () => {
  stored("r1", "canceled");
  const thread = await opened("t");
  expect(turns(thread)).toEqual([["ask r1", "live", null]]);
});

test("a message shows at once, under ids that were chosen before it was sent", async () => {
  const gate = Promise.withResolvers<object>();
  server.answer = () => gate.promise;
  const thread = await opened(undefined);
  thread.send("a", "Hello");
  expect(turns(thread)).toEqual([["Hello", 0, "sending"]]);
  const [call] = server.calls;
  expect(call).toMatchObject({ op: "chat", agent_id: "a", message: "Hello", thread_id: thread.threadId });
  gate.resolve({});
  await vi.advanceTimersByTimeAsync(10);
  expect(turns(thread)).toEqual([["Hello", "live", null]]);
  expect(server.followed.has(String(call?.["run_id"]))).toBe(true);
});

test("a refused message can be sent again, under the same run id", async () => {
  server.answer = () => Promise.reject({ code: "OVERLOADED", message: "later" });
  const thread = await opened(undefined);
  thread.send("a", "Hello");
  await vi.advanceTimersByTimeAsync(10);
  expect(turns(thread)).toEqual([["Hello", 0, "OVERLOADED"]]);
  server.answer = async () => ({});
  const [turn] = thread.turns.value ?? [];
  if (turn) thread.resend(turn);
  await vi.advanceTimersByTimeAsync(10);
  expect(turns(thread)).toEqual([["Hello", "live", null]]);
  expect(server.calls[0]?.["run_id"]).toBe(server.calls[1]?.["run_id"]);
});

test("what another tab sends to the thread appears, and what is here keeps its place", async () => {
  stored("r1", "completed");
  const thread = await opened("t");
  stored("r2", "running");
  server.activities?.({ type: "run.queued", thread_id: "t", run_id: "r2", detail: {} });
  server.activities?.({ type: "run.queued", thread_id: "another", run_id: "r9", detail: {} });
  await vi.advanceTimersByTimeAsync(200);
  expect(turns(thread)).toEqual([
    ["ask r1", 1, null],
    ["ask r2", "live", null],
  ]);
});

test("a reload of the thread does not disturb a run that is followed", async () => {
  stored("r1", "running");
  const thread = await opened("t");
  const live = thread.turns.value?.[0]?.live;
  stored("r2", "running");
  server.activities?.({ type: "run.queued", thread_id: "t", run_id: "r2", detail: {} });
  await vi.advanceTimersByTimeAsync(200);
  expect(thread.turns.value?.[0]?.live).toBe(live);
});

test("a conversation that is deleted elsewhere says so", async () => {
  stored("r1", "completed");
  const thread = await opened("t");
  server.activities?.({ type: "thread.deleted", thread_id: null, run_id: null, detail: { thread_id: "t" } });
  expect(thread.isDeleted.value).toBe(true);
});

test("an unknown thread is an empty one", async () => {
  expect(turns(await opened("nobody"))).toEqual([]);
});

test("a thread that is left follows nothing any more", async () => {
  stored("r1", "running");
  const thread = await opened("t");
  thread.stop();
  expect([server.followed.size, server.activities]).toEqual([0, undefined]);
});
