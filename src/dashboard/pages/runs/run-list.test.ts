import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { run, RunServer } from "./fake-run-server.ts";
import type { RunFilter } from "./run-filter.ts";
import { MAX_ROWS, RunList } from "./run-list.ts";

let server: RunServer;

const ALL: RunFilter = { status: "", agent: "", thread: "", delegated: false, before: null };
const ids = (list: RunList) => list.rows.value?.map(({ run_id: id }) => id);
const tell = (runId: string | null, more: object = {}) =>
  server.tell({
    seq: 1,
    at: 9,
    type: "run.completed",
    detail: {},
    run_id: runId,
    agent_id: "a",
    thread_id: "t",
    ...more,
  });

async function shown(filter = ALL): Promise<RunList> {
  const list = new RunList(server, filter);
  list.start();
  await vi.advanceTimersByTimeAsync(2_000);
  server.requests = [];
  return list;
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("requestAnimationFrame", (work: () => void) => setTimeout(work, 16));
  vi.stubGlobal("cancelAnimationFrame", clearTimeout);
  server = new RunServer();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("opening the list is one request", async () => {
  const list = new RunList(server, ALL);
  list.start();
  await vi.advanceTimersByTimeAsync(2_000);

  expect(server.requests).toEqual(["/api/runs?limit=50&top_level=true"]);
});

test("an activity shows at once how a run stands, and the run is fetched once to say the rest", async () => {
  const list = await shown();
  server.runs[1] = { ...run(2, "completed"), steps: 7 };

  tell("r2");
  tell("r2");
  await vi.advanceTimersByTimeAsync(20);

  expect([list.rows.value?.[1]?.status, list.rows.value?.[1]?.finished_at]).toEqual(["completed", 9]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(server.requests).toEqual(["/api/runs/r2"]);
  expect(list.rows.value?.[1]?.steps).toBe(7);
});

test("many that changed are one request, and never more than one a second", async () => {
  const list = await shown();
  for (let n = 4; n <= 40; n += 1) {
    server.runs.unshift(run(n));
    tell(`r${n}`);
    await vi.advanceTimersByTimeAsync(100);
  }
  await vi.advanceTimersByTimeAsync(1_000);
  expect(list.rows.value).toHaveLength(40);
  expect(server.requests.filter((path) => path.includes("?")).length).toBeLessThanOrEqual(5);
});

test("a run that no longer fits the filter, or was deleted, leaves the list", async () => {
  const list = await shown({ ...ALL, status: "running" });
  server.runs = [run(3, "completed"), run(1)];
  tell("r3");
  await vi.advanceTimersByTimeAsync(2_000);
  tell("r2", { type: "run.retried" });
  await vi.advanceTimersByTimeAsync(2_000);
  expect(ids(list)).toEqual(["r1"]);
});

test("the runs of a deleted thread leave the list", async () => {
  const list = await shown();

  tell(null, { type: "thread.deleted", detail: { thread_id: "t" } });
  await vi.advanceTimersByTimeAsync(100);

  expect(ids(list)).toEqual([]);
});

test("what other agents and threads do, and notices, fetch nothing", async () => {
  await shown({ ...ALL, agent: "b" });
  tell("r2");
  tell(null, { type: "notice", agent_id: null });
  await vi.advanceTimersByTimeAsync(2_000);
  expect(server.requests).toEqual([]);
});

describe("a list that is held", () => {
  test("lets new runs wait, and counts them", async () => {
    const list = await shown();
    list.hold(true);
    server.runs.unshift(run(5), run(4));

    tell("r4", { type: "run.queued" });
    await vi.advanceTimersByTimeAsync(1_000);

    expect([ids(list), list.held.value]).toEqual([["r3", "r2", "r1"], 2]);
    list.release();
    await vi.advanceTimersByTimeAsync(100);
    expect([ids(list), list.held.value]).toEqual([["r5", "r4", "r3", "r2", "r1"], 0]);
  });

  test("shows in its place what became of a run that does not fit the filter any more", async () => {
    const list = await shown({ ...ALL, status: "running" });
    list.hold(true);
    server.runs[1] = run(2, "completed");

    tell("r2");
    await vi.advanceTimersByTimeAsync(2_000);

    expect(list.rows.value?.map(({ run_id: id, status }) => `${id} ${status}`)).toEqual([
      "r3 running",
      "r2 completed",
      "r1 running",
    ]);
    list.hold(false);
    await vi.advanceTimersByTimeAsync(100);
    expect(ids(list)).toEqual(["r3", "r1"]);
  });

  test("begins with the newest page when more came than that holds: there may be a hole below", async () => {
    const list = await shown();
    list.hold(true);
    for (let n = 4; n <= 100; n += 1) server.runs.unshift(run(n));

    tell("r100", { type: "run.queued" });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(list.held.value).toBe(50);
    list.release();
    await vi.advanceTimersByTimeAsync(100);

    expect([ids(list)?.length, ids(list)?.at(-1), list.next.value]).toEqual([50, "r51", 51]);
  });

  test("does not lose what a shown run became while others waited", async () => {
    const list = await shown();
    list.hold(true);
    server.runs.unshift(run(4));
    tell("r4", { type: "run.queued" });
    await vi.advanceTimersByTimeAsync(1_000);

    server.runs[2] = run(2, "completed");
    tell("r2");
    await vi.advanceTimersByTimeAsync(2_000);
    list.hold(false);
    await vi.advanceTimersByTimeAsync(100);

    expect(list.rows.value?.find(({ run_id: id }) => id === "r2")?.status).toBe("completed");
  });
});

test("an empty list that gets more than the newest page holds has a next page", async () => {
  server.runs = [];
  const list = await shown();
  server.runs = Array.from({ length: 120 }, (_, index) => run(120 - index));

  tell("r120", { type: "run.queued" });
  await vi.advanceTimersByTimeAsync(2_000);

  expect([list.rows.value?.length, list.next.value]).toEqual([50, 71]);
});

test("older ones come page by page, up to a bound from which a link goes on", async () => {
  server.runs = Array.from({ length: MAX_ROWS + 120 }, (_, index) => run(MAX_ROWS + 120 - index));
  const list = await shown();
  while (!list.isFull) {
    list.loadOlder();
    await vi.advanceTimersByTimeAsync(100);
  }

  list.loadOlder();
  await vi.advanceTimersByTimeAsync(100);

  expect([list.rows.value?.length, list.next.value]).toEqual([MAX_ROWS, 121]);
  const older = await shown({ ...ALL, before: list.next.value });
  expect(ids(older)?.[0]).toBe("r120");
});

test("an older page that arrives after the newest page took the place of the rows above it is left out", async () => {
  server.runs = Array.from({ length: 300 }, (_, index) => run(300 - index, "completed"));
  const list = await shown();
  list.hold(true);
  server.runs = [...Array.from({ length: 60 }, (_, index) => run(360 - index, "completed")), ...server.runs];
  tell("r360", { type: "run.queued" });
  await vi.advanceTimersByTimeAsync(2_000);
  const gate = Promise.withResolvers<void>();
  server.delay = () => gate.promise;

  list.loadOlder();
  list.release();
  gate.resolve();
  await vi.advanceTimersByTimeAsync(100);
  list.loadOlder();
  await vi.advanceTimersByTimeAsync(100);

  expect(ids(list)).toEqual(Array.from({ length: 100 }, (_, index) => `r${360 - index}`));
});

test("a window into the past takes nothing new in", async () => {
  const list = await shown({ ...ALL, before: 3 });
  server.runs.unshift(run(4));

  tell("r4", { type: "run.queued" });
  await vi.advanceTimersByTimeAsync(2_000);

  expect([ids(list), list.held.value]).toEqual([["r2", "r1"], 0]);
});

test("after it was stopped nothing is fetched any more", async () => {
  const list = await shown();
  tell("r2");
  list.stop();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(server.requests).toEqual([]);
});

test("one that is started again shows what it had, and what came meanwhile", async () => {
  const list = await shown();
  list.stop();
  server.runs.unshift(run(4));

  list.start();
  expect(ids(list)).toEqual(["r3", "r2", "r1"]);
  await vi.advanceTimersByTimeAsync(1_000);

  expect(ids(list)).toEqual(["r4", "r3", "r2", "r1"]);
});

test("what happened between the first look and the subscription is seen when the subscription stands", async () => {
  const list = await shown();
  server.runs.unshift(run(4));

  server.ready();
  await vi.advanceTimersByTimeAsync(100);

  expect(ids(list)).toEqual(["r4", "r3", "r2", "r1"]);
});

test("another server's runs take the place of those of the one before", async () => {
  const list = await shown();
  server.runs = [run(1)];

  server.restarted();
  server.ready();
  await vi.advanceTimersByTimeAsync(100);

  expect(ids(list)).toEqual(["r1"]);
});

test("requests for news come one after the other, however slow the answers are, and the last one counts", async () => {
  const list = await shown();
  let [underWay, most] = [0, 0];
  server.delay = async () => {
    most = Math.max(most, (underWay += 1));
    await new Promise((resolve) => setTimeout(resolve, 3_000 / server.requests.length));
    underWay -= 1;
  };
  for (let n = 4; n <= 8; n += 1) {
    server.runs.unshift(run(n));
    tell(`r${n}`);
    await vi.advanceTimersByTimeAsync(1_200);
  }
  await vi.advanceTimersByTimeAsync(10_000);

  expect(most).toBe(1);
  expect(ids(list)).toEqual(["r8", "r7", "r6", "r5", "r4", "r3", "r2", "r1"]);
});

test("a row that would look the same stays the same object, so that it is not drawn again", async () => {
  const list = await shown();
  const before = list.rows.value ?? [];
  server.runs = [{ ...run(3), cancel_requested: true }, run(2), run(1)];

  tell("r9");
  await vi.advanceTimersByTimeAsync(2_000);

  const after = list.rows.value ?? [];
  expect([after[0] === before[0], after[1] === before[1]]).toEqual([false, true]);
});

test("a run that is parked says so at once, and leaves a list of running ones", async () => {
  const all = await shown();
  const running = await shown({ ...ALL, status: "running" });
  const waiting = { reason: "delegated to b", until: null };
  server.runs[1] = { ...run(2), waiting };

  tell("r2", { type: "run.parked", detail: waiting });
  await vi.advanceTimersByTimeAsync(20);

  expect(all.rows.value?.[1]?.waiting).toEqual(waiting);
  expect(ids(running)).toEqual(["r3", "r1"]);
  server.runs[1] = run(2);
  tell("r2", { type: "run.resumed" });
  await vi.advanceTimersByTimeAsync(2_000);
  expect(all.rows.value?.[1]).not.toHaveProperty("waiting");
  expect(ids(running)).toEqual(["r3", "r2", "r1"]);
});
