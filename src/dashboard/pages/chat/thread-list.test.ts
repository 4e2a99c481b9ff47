import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ThreadList } from "./thread-list.ts";

const server = vi.hoisted(() => ({
  threads: 0,
  fails: false,
  live: undefined as ((activity: unknown) => void) | undefined,
  requests: [] as string[],
}));

vi.mock("../../live/live.ts", () => ({
  subscribe: (_request: unknown, listener: { onEvent: (event: unknown) => void; onReady: () => void }) => {
    server.live = (activity) => listener.onEvent(activity);
    queueMicrotask(() => listener.onReady());
    return () => (server.live = undefined);
  },
}));

vi.mock("../../live/api.ts", () => ({
  getJson: async (path: string) => {
    server.requests.push(path);
    if (server.fails) throw { code: "UNREACHABLE", detail: "gone" };
    const limit = Number(new URL(path, "http://x").searchParams.get("limit"));
    const threads = Array.from({ length: server.threads }, (_, n) => ({ thread_id: `t${n}` }));
    return { threads: threads.slice(0, limit), next: server.threads > limit ? limit : null };
  },
}));

async function shown(): Promise<ThreadList> {
  const list = new ThreadList();
  list.start();
  await vi.advanceTimersByTimeAsync(2_000);
  return list;
}

const tell = (type: string) => server.live?.({ seq: 1, type, thread_id: "t", run_id: "r", detail: {} });

beforeEach(() => {
  vi.useFakeTimers();
  Object.assign(server, { threads: 3, fails: false, live: undefined, requests: [] });
});
afterEach(() => void vi.useRealTimers());

test("opening it is one request", async () => {
  const list = await shown();

  expect([list.rows.value?.length, list.hasMore.value, server.requests]).toEqual([3, false, ["/api/threads?limit=30"]]);
});

test.each(["run.queued", "run.completed", "run.failed", "run.canceled", "thread.deleted"])(
  "%s changes what it shows, and is seen within a second",
  async (type) => {
    const list = await shown();
    server.threads = 4;

    tell(type);
    await vi.advanceTimersByTimeAsync(1_000);

    expect(list.rows.value).toHaveLength(4);
  },
);

test("a tool call changes nothing that it shows", async () => {
  await shown();

  tell("tool.called");
  await vi.advanceTimersByTimeAsync(5_000);

  expect(server.requests).toHaveLength(1);
});

test("more are loaded on demand, up to what the server gives at once", async () => {
  server.threads = 2_000;
  const list = await shown();
  const counts: (number | undefined)[] = [];
  while (list.hasMore.value) {
    list.loadMore();
    await vi.advanceTimersByTimeAsync(10);
    counts.push(list.rows.value?.length);
  }

  expect(counts).toEqual([60, 120, 240, 480, 500]);
});

test("a failure is told, what was shown stays, and the next success takes it back", async () => {
  const list = await shown();
  server.fails = true;
  tell("run.queued");
  await vi.advanceTimersByTimeAsync(1_000);
  expect([list.error.value?.code, list.rows.value?.length]).toEqual(["UNREACHABLE", 3]);

  server.fails = false;
  list.retry();
  await vi.advanceTimersByTimeAsync(1_000);

  expect([list.error.value, list.rows.value?.length]).toEqual([null, 3]);
});
