import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FakeServices } from "../../live/fake-services.ts";
import { ThreadList } from "./thread-list.ts";

class ThreadServer extends FakeServices {
  threads = 3;
  fails = false;
  /** When a thread was updated last: this says nothing about its position. */
  updatedAt: (thread: number) => number = (thread) => thread;

  override answer = (path: string) => {
    if (this.fails) throw { code: "UNREACHABLE", detail: "gone" };
    const { searchParams: query } = new URL(path, "http://x");
    const [limit, before] = [Number(query.get("limit")), Number(query.get("before") ?? this.threads)];
    // Threads of the server: the newest has the highest number, and the number is its position.
    const first = Math.max(0, before - limit);
    const threads = Array.from({ length: before - first }, (_, n) => before - 1 - n);
    return {
      threads: threads.map((n) => ({ thread_id: `t${n}`, updated_at: this.updatedAt(n), runs: 1 })),
      next: first > 0 ? first : null,
    };
  };
}

let server: ThreadServer;

async function shown(): Promise<ThreadList> {
  const list = new ThreadList(server);
  list.start();
  await vi.advanceTimersByTimeAsync(2_000);
  return list;
}

const tell = (type: string) => server.tell({ seq: 1, type, thread_id: "t", run_id: "r", detail: {} });

beforeEach(() => {
  vi.useFakeTimers();
  server = new ThreadServer();
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

test("more are loaded on demand, to the last; what is new then comes before them", async () => {
  server.threads = 2_000;
  const list = await shown();
  const counts: (number | undefined)[] = [];
  while (list.hasMore.value) {
    list.loadMore();
    await vi.advanceTimersByTimeAsync(10);
    counts.push(list.rows.value?.length);
  }

  expect(counts).toEqual([60, 120, 240, 480, 500, 1_000, 1_500, 2_000]);
  server.threads += 1;
  tell("run.queued");
  await vi.advanceTimersByTimeAsync(1_000);
  expect(list.rows.value?.map(({ thread_id: id }) => id)).toEqual(
    Array.from({ length: 2_001 }, (_, n) => `t${2_000 - n}`),
  );
});

test.each([
  ["were all updated at the same time", () => 7],
  ["were updated in another order", (thread: number) => 5_000 - thread],
] as const)("conversations that %s are each in the list once, in the order of the server", async (_when, updatedAt) => {
  server.threads = 1_200;
  server.updatedAt = updatedAt;
  const list = await shown();
  while (list.hasMore.value) {
    list.loadMore();
    await vi.advanceTimersByTimeAsync(10);
  }

  server.threads += 1;
  tell("run.queued");
  await vi.advanceTimersByTimeAsync(1_000);

  expect(list.rows.value?.map(({ thread_id: id }) => id)).toEqual(
    Array.from({ length: 1_201 }, (_, n) => `t${1_200 - n}`),
  );
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

test("an old conversation that is deleted leaves the list, though no request reaches back to it", async () => {
  server.threads = 1_200;
  const list = await shown();
  for (let clicks = 0; clicks < 6; clicks += 1) {
    list.loadMore();
    await vi.advanceTimersByTimeAsync(10);
  }

  server.tell({ seq: 2, type: "thread.deleted", thread_id: null, run_id: null, detail: { thread_id: "t300" } });
  await vi.advanceTimersByTimeAsync(1_000);

  const ids = list.rows.value?.map(({ thread_id: id }) => id);
  expect([ids?.length, ids?.includes("t300"), ids?.includes("t301")]).toEqual([999, false, true]);
});

test("conversations of a server that was started with other data leave the list", async () => {
  server.threads = 700;
  const list = await shown();
  for (let more = 0; more < 6; more += 1) {
    list.loadMore();
    await vi.advanceTimersByTimeAsync(10);
  }
  expect(list.rows.value).toHaveLength(700);
  server.threads = 2;

  server.restarted();
  expect(list.rows.value).toBeNull();
  server.ready();
  await vi.advanceTimersByTimeAsync(2_000);

  expect([list.rows.value?.length, list.hasMore.value]).toEqual([2, false]);
});
