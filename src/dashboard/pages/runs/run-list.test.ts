import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { NO_USAGE, type Run, type RunStatus } from "../../../core/run.ts";
import { FakeServices } from "../../live/fake-services.ts";
import { RunList } from "./run-list.ts";

class RunServer extends FakeServices {
  /** Newest first. */
  runs = [run(3), run(2), run(1)];
  /** The way back of an answer. */
  delay = async (): Promise<unknown> => undefined;

  override answer = async (path: string) => {
    const runs = [...this.runs];
    await this.delay();
    const one = /^\/api\/runs\/(.+)$/.exec(path)?.[1];
    if (one !== undefined) return runs.find((run) => run.run_id === one) ?? Promise.reject({ code: "RUN_NOT_FOUND" });
    const query = new URL(path, "http://x").searchParams;
    const from = runs.findIndex((run) => run.run_id === `r${query.get("before")}`) + 1;
    const end = from + Number(query.get("limit"));
    const last = runs[end - 1];
    return {
      runs: runs.slice(from, end),
      next: end < runs.length ? Number(last?.run_id.slice(1)) : null,
    };
  };
}

let server: RunServer;

function run(n: number, status: RunStatus = "running"): Run {
  return {
    run_id: `r${n}`,
    thread_id: "t",
    agent_id: "a",
    parent_run_id: null,
    status,
    created_at: n,
    started_at: n,
    finished_at: null,
    attempts: 1,
    steps: 0,
    usage: NO_USAGE,
    reply: null,
    error: null,
    timeout_ms: null,
    cancel_requested: false,
    metadata: {},
    title: "",
  };
}

const ALL = { status: "", agent: "", thread: "" };
const ids = (list: RunList) => list.rows.value?.map(({ run_id: id }) => id);
const tell = (runId: string | null, more: object = {}) =>
  server.tell({ seq: 1, type: "run.completed", run_id: runId, agent_id: "a", thread_id: "t", ...more });

async function shown(filter = ALL): Promise<RunList> {
  const list = new RunList(server, filter);
  list.start();
  await vi.advanceTimersByTimeAsync(2_000);
  server.requests = [];
  return list;
}

beforeEach(() => {
  vi.useFakeTimers();
  server = new RunServer();
});

afterEach(() => void vi.useRealTimers());

test("opening the list is one request", async () => {
  const list = new RunList(server, ALL);
  list.start();
  await vi.advanceTimersByTimeAsync(2_000);

  expect(server.requests).toEqual(["/api/runs?limit=50"]);
});

test("one run that changed is fetched alone", async () => {
  const list = await shown();
  server.runs[1] = run(2, "completed");
  tell("r2");
  tell("r2");
  await vi.advanceTimersByTimeAsync(500);
  expect(server.requests).toEqual(["/api/runs/r2"]);
  expect(list.rows.value?.map(({ status }) => status)).toEqual(["running", "completed", "running"]);
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
  expect(server.requests.length).toBeLessThanOrEqual(5);
});

test("a run that no longer fits the filter, or was deleted, leaves the list", async () => {
  const list = await shown({ ...ALL, status: "running" });
  server.runs = [run(3, "completed"), run(1)];
  tell("r3");
  await vi.advanceTimersByTimeAsync(2_000);
  tell("r2");
  await vi.advanceTimersByTimeAsync(2_000);
  expect(ids(list)).toEqual(["r1"]);
});

test("what other agents and threads do, and notices, fetch nothing", async () => {
  await shown({ ...ALL, agent: "b" });
  tell("r2");
  tell(null, { type: "notice", agent_id: null });
  await vi.advanceTimersByTimeAsync(2_000);
  expect(server.requests).toEqual([]);
});

test("what was loaded with `load more` stays, and stays current", async () => {
  server.runs = Array.from({ length: 120 }, (_, index) => run(120 - index));
  const list = await shown();
  list.loadMore();
  await vi.advanceTimersByTimeAsync(100);
  expect(list.rows.value).toHaveLength(100);
  tell(null, { type: "thread.deleted" });
  await vi.advanceTimersByTimeAsync(2_000);
  expect(server.requests.at(-1)).toContain("limit=100");
  expect(list.rows.value).toHaveLength(100);
});

test("after it was stopped nothing is fetched any more", async () => {
  const list = await shown();
  tell("r2");
  list.stop();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(server.requests).toEqual([]);
});

test("what happened between the first look and the subscription is seen when the subscription stands", async () => {
  const list = await shown();
  server.runs.unshift(run(4));

  server.ready();
  await vi.advanceTimersByTimeAsync(10);

  expect(ids(list)).toEqual(["r4", "r3", "r2", "r1"]);
});

test("requests come one after the other, however slow the answers are, and the last one counts", async () => {
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

test("a reload does not wait for what is under way, whose answer is not shown any more", async () => {
  const list = await shown();
  const gate = Promise.withResolvers<void>();
  server.delay = () => gate.promise;
  list.loadMore();
  list.reload();
  server.delay = async () => {};
  server.runs.unshift(run(4));
  list.reload();
  gate.resolve();
  await vi.advanceTimersByTimeAsync(10);

  expect(ids(list)).toEqual(["r4", "r3", "r2", "r1"]);
});

test("the row of a run that is over stays the same object, so that it is not drawn again", async () => {
  server.runs = [run(2), run(1, "completed")];
  const list = await shown();
  const before = list.rows.value ?? [];
  server.runs = [run(2), run(1, "completed")];

  tell(null);
  await vi.advanceTimersByTimeAsync(2_000);

  const after = list.rows.value ?? [];
  expect(after[1]).toBe(before[1]);
  expect(after[0]).not.toBe(before[0]);
});
