import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { StoredMessage } from "../../../core/message.ts";
import type { RunStatus } from "../../../core/run.ts";
import { FakeServices } from "../../live/fake-services.ts";
import { question, textOf } from "../../run-view/question.ts";
import { ChatThread } from "./thread.ts";
import { keepDraft } from "./unsent.ts";

class ThreadServer extends FakeServices {
  readonly runs: { run_id: string; agent_id: string; status: string; error: null }[] = [];
  readonly messages: object[] = [];

  override answer = (path: string): object => {
    if (path.startsWith("/api/runs")) return { runs: this.runs };
    if (this.messages.length === 0) throw { code: "THREAD_NOT_FOUND", detail: "" };
    return { messages: this.messages, title: "Title", next: null };
  };
}

let server: ThreadServer;

function stored(runId: string, status: RunStatus): void {
  server.runs.unshift({ run_id: runId, agent_id: "a", status, error: null });
  const messages: StoredMessage[] = [
    { role: "user", content: `ask ${runId}`, run_id: runId, at: 1 },
    { role: "assistant", content: [{ type: "text", text: `answer ${runId}` }], run_id: runId, at: 2 },
  ];
  server.messages.push(...(status === "completed" ? messages : messages.slice(0, 1)));
}

/** The server answers that it does not know the run. */
function lose(runId: string | undefined): void {
  for (const { request, listener } of server.subscriptions)
    if (request.channel === "run" && request.run_id === runId)
      listener.onError({ code: "RUN_NOT_FOUND", detail: "gone" });
}

async function opened(threadId: string | undefined): Promise<ChatThread> {
  const thread = new ChatThread(server, threadId);
  thread.start();
  await vi.advanceTimersByTimeAsync(10);
  return thread;
}

const turns = (thread: ChatThread) =>
  thread.turns.value?.map(({ asked, live, stored, sending }) => [
    asked && textOf(asked),
    live ? "live" : stored.length,
    typeof sending === "object" ? (sending?.code ?? null) : sending,
  ]);

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("requestAnimationFrame", (work: () => void) => setTimeout(work, 16));
  vi.stubGlobal("cancelAnimationFrame", clearTimeout);
  const kept = new Map<string, string>();
  vi.stubGlobal("sessionStorage", {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => kept.set(name, value),
    removeItem: (name: string) => kept.delete(name),
  });
  server = new ThreadServer();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("a page opened during an answer shows the stored messages and follows the run from its first event", async () => {
  stored("r1", "completed");
  stored("r2", "running");
  const thread = await opened("t");
  expect(turns(thread)).toEqual([
    ["ask r1", 1, null],
    ["ask r2", "live", null],
  ]);
  expect([...server.followed]).toEqual([["r2", 0]]);
});

test("half an answer of a stopped run is read from its journal", async () => {
  stored("r1", "canceled");
  const thread = await opened("t");
  expect(turns(thread)).toEqual([["ask r1", "live", null]]);
});

test("a message shows at once, under ids that were chosen before it was sent", async () => {
  const gate = Promise.withResolvers<Record<string, unknown>>();
  server.reply = () => gate.promise;
  const thread = await opened(undefined);
  thread.send("a", question("Hello"));
  expect(turns(thread)).toEqual([["Hello", 0, "sending"]]);
  const [call] = server.calls;
  expect(call).toMatchObject({ op: "chat", agent_id: "a", message: "Hello", thread_id: thread.threadId });
  gate.resolve({});
  await vi.advanceTimersByTimeAsync(10);
  expect(turns(thread)).toEqual([["Hello", "live", null]]);
  expect(server.followed.has(String(call?.["run_id"]))).toBe(true);
});

test("a refused message can be sent again, under the same run id", async () => {
  server.reply = () => Promise.reject({ code: "OVERLOADED", detail: "later" });
  const thread = await opened(undefined);
  thread.send("a", question("Hello"));
  await vi.advanceTimersByTimeAsync(10);
  expect(turns(thread)).toEqual([["Hello", 0, "OVERLOADED"]]);
  server.reply = async () => ({});
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
  server.tell({ seq: 1, type: "run.queued", thread_id: "t", run_id: "r2", detail: {} });
  server.tell({ seq: 1, type: "run.queued", thread_id: "another", run_id: "r9", detail: {} });
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
  server.tell({ seq: 1, type: "run.queued", thread_id: "t", run_id: "r2", detail: {} });
  await vi.advanceTimersByTimeAsync(200);
  expect(thread.turns.value?.[0]?.live).toBe(live);
});

test("of runs that wait for each other only the oldest is followed, and the next when it ends", async () => {
  for (const runId of ["r1", "r2", "r3"]) stored(runId, runId === "r1" ? "running" : "queued");
  await opened("t");
  expect([...server.followed.keys()]).toEqual(["r1"]);

  server.tellRun("r1", { type: "RUN_FINISHED", threadId: "t", runId: "r1", seq: 9, timestamp: 9 });

  expect([...server.followed.keys()]).toEqual(["r1", "r2"]);
});

test("runs that the server does not know any more do not keep the next one from being followed", async () => {
  const thread = await opened(undefined);
  thread.send("a", question("one"));
  thread.send("a", question("two"));
  await vi.advanceTimersByTimeAsync(10);
  const followed = (place: number) => server.followed.has(thread.turns.value?.[place]?.runId ?? "");

  lose(thread.turns.value?.[0]?.runId);
  expect(followed(1)).toBe(true);
  await vi.advanceTimersByTimeAsync(10);
  lose(thread.turns.value?.[1]?.runId);
  thread.send("a", question("three"));
  await vi.advanceTimersByTimeAsync(10);

  expect(followed(2)).toBe(true);
});

test("a run that is canceled while it waits behind another says so at once", async () => {
  for (const runId of ["r1", "r2", "r3"]) stored(runId, runId === "r1" ? "running" : "queued");
  await opened("t");

  server.tell({ seq: 1, type: "run.canceled", thread_id: "t", run_id: "r3", detail: {} });

  expect([...server.followed.keys()]).toEqual(["r1", "r3"]);
});

test("a conversation that is deleted elsewhere says so", async () => {
  stored("r1", "completed");
  const thread = await opened("t");
  server.tell({ seq: 1, type: "thread.deleted", thread_id: null, run_id: null, detail: { thread_id: "t" } });
  expect(thread.isDeleted.value).toBe(true);
});

test("a thread that the server does not know is missing, until it has a message", async () => {
  const thread = await opened("nobody");
  expect([turns(thread), thread.isMissing.value]).toEqual([[], true]);

  stored("r1", "running");
  server.tell({ seq: 1, type: "run.queued", thread_id: "nobody", run_id: "r1", detail: {} });
  await vi.advanceTimersByTimeAsync(200);

  expect([turns(thread), thread.isMissing.value]).toEqual([[["ask r1", "live", null]], false]);
});

test("a thread that only this tab has messages for, sent or not, is not missing", async () => {
  server.reply = () => new Promise(() => {});
  const left = await opened("under-way");
  left.send("a", question("Hello"));
  left.stop();
  keepDraft("begun", "Hel");

  for (const threadId of ["under-way", "begun"]) expect((await opened(threadId)).isMissing.value).toBe(false);
});

test("a refused message that is withdrawn is gone for good, here and on the next page", async () => {
  server.reply = () => Promise.reject({ code: "BODY_TOO_LARGE", detail: "too large" });
  const thread = await opened("t");
  thread.send("a", question("Hello"));
  await vi.advanceTimersByTimeAsync(10);

  const [turn] = thread.turns.value ?? [];
  if (turn) thread.withdraw(turn);

  expect([turns(thread), thread.title.value]).toEqual([[], null]);
  thread.stop();
  expect(turns(await opened("t"))).toEqual([]);
});

test("a thread that is left follows nothing any more", async () => {
  stored("r1", "running");
  const thread = await opened("t");
  thread.stop();
  expect(server.subscriptions.size).toBe(0);
});

test("what happened between the first look and the subscription is seen when the subscription stands", async () => {
  stored("r1", "completed");
  const thread = await opened("t");
  stored("r2", "running");

  server.ready();
  await vi.advanceTimersByTimeAsync(10);

  expect(turns(thread)).toEqual([
    ["ask r1", 1, null],
    ["ask r2", "live", null],
  ]);
});

test("a gap in the activities makes it look again", async () => {
  stored("r1", "completed");
  const thread = await opened("t");
  stored("r2", "running");

  server.tell({ type: "CUSTOM", name: "evenkeel.gap", value: { after: 1, next: 90 } });
  await vi.advanceTimersByTimeAsync(10);

  expect(thread.turns.value).toHaveLength(2);
});

test("nobody is asked for a conversation that has not begun", async () => {
  const thread = await opened(undefined);

  server.ready();
  await vi.advanceTimersByTimeAsync(10);

  expect([turns(thread), thread.error.value]).toEqual([[], null]);
});

test("a message that was under way when its page was left is sent again by the next one, under its run id", async () => {
  server.reply = () => new Promise(() => {});
  const left = await opened("t");
  left.send("a", question("Hello"));
  left.stop();
  server.reply = async () => ({});

  const thread = await opened("t");

  expect(turns(thread)).toEqual([["Hello", "live", null]]);
  expect(server.calls).toHaveLength(2);
  expect(server.calls[1]).toEqual(server.calls[0]);
});

test("a message that was refused is still there for the next page, waiting for a person to try again", async () => {
  server.reply = () => Promise.reject({ code: "OVERLOADED", detail: "later" });
  const left = await opened("t");
  left.send("a", question("Hello"));
  await vi.advanceTimersByTimeAsync(10);
  left.stop();

  const thread = await opened("t");

  expect(turns(thread)).toEqual([["Hello", 0, "OVERLOADED"]]);
  expect(server.calls).toHaveLength(1);
  server.reply = async () => ({});
  thread.send("a", question("Something else"));
  await vi.advanceTimersByTimeAsync(10);
  thread.stop();
  expect(turns(await opened("t"))).toEqual([]);
});

test("a message that the server has is not sent again", async () => {
  const left = await opened("t");
  left.send("a", question("Hello"));
  await vi.advanceTimersByTimeAsync(10);
  left.stop();

  await opened("t");

  expect(server.calls).toHaveLength(1);
});

test("Stop reaches the server after the message that it is to stop", async () => {
  const gate = Promise.withResolvers<Record<string, unknown>>();
  server.reply = () => gate.promise;
  const thread = await opened("t");
  thread.send("a", question("Hello"));
  const runId = String(server.calls[0]?.["run_id"]);

  const canceled = thread.cancel(runId);
  await vi.advanceTimersByTimeAsync(10);
  expect(server.calls.map(({ op }) => op)).toEqual(["chat"]);
  gate.resolve({});
  await canceled;

  expect(server.calls.map(({ op }) => op)).toEqual(["chat", "cancel"]);
});

test("Try again, clicked twice, sends once", async () => {
  server.reply = () => Promise.reject({ code: "OVERLOADED", detail: "later" });
  const thread = await opened(undefined);
  thread.send("a", question("Hello"));
  await vi.advanceTimersByTimeAsync(10);
  const [turn] = thread.turns.value ?? [];
  if (!turn) throw new Error("there is a turn");

  thread.resend(turn);
  thread.resend(turn);

  expect(server.calls).toHaveLength(2);
});

test("its title is the server's, and until then the beginning of the first message", async () => {
  const fresh = await opened(undefined);
  fresh.send("a", question(`  Hello\n${"x".repeat(100)}`));
  expect(fresh.title.value).toBe(`Hello ${"x".repeat(73)}…`);
  stored("r1", "completed");
  expect((await opened("t")).title.value).toBe("Title");
});

test("a message with a picture is sent as parts, is shown with it, and is kept with it while it is refused", async () => {
  const picture = { type: "image", source: { type: "file", file_id: "file_1" }, name: "cat.png" } as const;
  server.reply = () => Promise.reject({ code: "OVERLOADED", detail: "later" });
  const left = await opened("t");

  left.send("a", question("Look", [picture]));
  await vi.advanceTimersByTimeAsync(10);
  left.stop();

  const { name: _name, ...sent } = picture;
  expect(server.calls[0]).toMatchObject({ message: [sent, { type: "text", text: "Look" }] });
  expect((await opened("t")).turns.value?.[0]?.asked).toEqual([picture, { type: "text", text: "Look" }]);
});

test("a message of files alone has their number for its title", async () => {
  const thread = await opened(undefined);
  thread.send("a", question(" ", [{ type: "document", source: { type: "file", file_id: "file_1" } }]));
  expect(thread.title.value).toBe("(1 file)");
});

test("of a long thread the newest ten pages are read, and ten more each time that older ones are asked for", async () => {
  server.answer = (path) => (path.startsWith("/api/runs") ? { runs: [] } : pageOf25(path));
  const thread = await opened("t");
  const seen: [number | undefined, boolean][] = [];
  for (;;) {
    seen.push([thread.turns.value?.length, thread.hasOlder.value]);
    if (!thread.hasOlder.value) break;
    thread.loadOlder();
    await vi.advanceTimersByTimeAsync(10);
  }
  expect(seen).toEqual([
    [10, true],
    [20, true],
    [25, false],
  ]);
  expect(thread.turns.value?.[0]?.runId).toBe("r1");
});

/** A thread of 25 pages with one message each. */
function pageOf25(path: string) {
  const before = Number(new URL(path, "http://x").searchParams.get("before") ?? 25);
  const message = { role: "user", content: `ask ${before}`, run_id: `r${before}`, at: before };
  return { messages: [message], title: "Long", next: before > 1 ? before - 1 : null };
}
