import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FakeServices } from "../../live/fake-services.ts";
import { ThreadList } from "./thread-list.ts";

class ThreadServer extends FakeServices {
  threads = 3;
  fails = false;

  override answer = (path: string) => {
    if (this.fails) throw { code: "UNREACHABLE", detail: "gone" };
    const limit = Number(new URL(path, "http://x").searchParams.get("limit"));
    const threads = Array.from({ length: this.threads }, (_, n) => ({ thread_id: `t${n}` }));
    return { threads: threads.slice(0, limit), next: this.threads > limit ? limit : null };
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
