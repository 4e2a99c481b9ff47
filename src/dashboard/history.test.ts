import { expect, test } from "vitest";
import { deliveryLines, healthLines, lagLines, tokenLines } from "./charts/lines.ts";
import { modelState, tokensPerSecond } from "./pages/overview/figures.ts";
import { History, type ProcessInfo, type Snapshot } from "./history.ts";

const START = 1_700_000_000_000;

function process(fields: Partial<ProcessInfo> = {}): ProcessInfo {
  return {
    kind: "worker",
    id: 1,
    pid: 100,
    state: "ready",
    uptime_s: 10,
    restarts: 0,
    rss_bytes: 1,
    cpu_percent: 1,
    lag_ms: { p50: 1, p99: 2 },
    in_flight: 0,
    gauges: {},
    last_exit: null,
    ...fields,
  };
}

/** The n-th second of a server's life. */
function snapshot(n: number, processes: ProcessInfo[] = [process()], fields: Partial<Snapshot> = {}): Snapshot {
  return { seq: n, at: START + n * 1_000, processes, ...fields };
}

function historyOf(...snapshots: Snapshot[]): History {
  const history = new History();
  for (const one of snapshots) history.add(one);
  return history;
}

test("five minutes are kept, and no more", () => {
  const history = new History();
  for (let n = 1; n <= 1_000; n += 1) history.add(snapshot(n));

  expect(history.times()).toHaveLength(301);
  expect(history.times().at(-1)).toBe((START + 1_000_000) / 1_000);
  expect(history.lastSeq).toBe(1_000);
});

test("snapshots that come faster than once a second are bounded by number", () => {
  const history = new History();
  for (let n = 1; n <= 5_000; n += 1) history.add(snapshot(n, [], { at: START + n * 10 }));

  expect(history.times().length).toBeLessThanOrEqual(900);
});

test("what is sent again after a reconnect counts once", () => {
  const history = historyOf(snapshot(1), snapshot(2), snapshot(1), snapshot(2), snapshot(3));

  expect(history.times()).toHaveLength(3);
});

test("a line breaks where nothing is known", () => {
  const history = historyOf(snapshot(1), snapshot(2), snapshot(30));

  expect(history.series(({ seq }) => seq)).toEqual([1, 2, null, 30]);
  expect(history.times()).toEqual(history.times().toSorted((a, b) => a - b));
});

test("a server that was started anew counts from 1, goes on in the same history, and is marked", () => {
  const before = process({ kind: "primary", pid: 1 });
  const after = process({ kind: "primary", pid: 2 });
  const history = historyOf(snapshot(50, [before]), snapshot(1, [after], { at: START + 52_000 }));

  expect(history.times()).toHaveLength(2);
  expect(history.lastSeq).toBe(1);
  expect(history.marks).toEqual([
    { at: START + 52_000, kind: "restart", process: "primary", reason: "the server was started anew" },
  ]);
});

test("a clock that was set back begins a new history instead of freezing the old one", () => {
  const history = historyOf(snapshot(50), snapshot(51, [process()], { at: START }));

  expect(history.times()).toEqual([START / 1_000]);
});

test("a restart is marked at the moment of the exit, with its reason", () => {
  const died = process({ kind: "agent", id: 2, restarts: 1, last_exit: { at: START + 4_200, reason: "SIGKILL" } });
  const history = historyOf(snapshot(4, [process({ kind: "agent", id: 2 })]), snapshot(5, [died]), snapshot(6, [died]));

  expect(history.marks).toEqual([{ at: START + 4_200, kind: "restart", process: "agent 2", reason: "SIGKILL" }]);
});

test("a restart without a recent exit was a replacement", () => {
  const replaced = process({ restarts: 1, last_exit: { at: START - 3_600_000, reason: "SIGKILL" } });
  const history = historyOf(snapshot(4), snapshot(5, [replaced]));

  expect(history.marks).toMatchObject([{ at: START + 5_000, reason: "replaced" }]);
});

test("a stall is marked once, when it begins", () => {
  const stalled = process({ state: "stalled" });
  const history = historyOf(snapshot(1), snapshot(2, [stalled]), snapshot(3, [stalled]), snapshot(4));

  expect(history.marks).toMatchObject([{ at: START + 2_000, kind: "stall", process: "worker 1" }]);
});

test("marks leave with their time", () => {
  const history = historyOf(snapshot(1), snapshot(2, [process({ state: "stalled" })]));
  for (let n = 3; n <= 400; n += 1) history.add(snapshot(n));

  expect(history.marks).toEqual([]);
});

const agent = (id: number, output_tokens: number, gauges: Record<string, number> = {}) =>
  process({ kind: "agent", id, gauges: { output_tokens, model_calls: 0, model_waiting: 0, ...gauges } });

test("tokens a second are the growth of all counters, also over a restart that began at 0 again", () => {
  const history = historyOf(
    snapshot(1, [agent(1, 100), agent(2, 1_000)]),
    snapshot(2, [agent(1, 150), agent(2, 1_050)]),
    snapshot(3, [agent(1, 30), agent(2, 1_050)]),
  );

  expect(tokenLines(history)[0]?.values).toEqual([null, 100, 65]);
  expect(tokensPerSecond(history)).toBe(65);
});

test("up to two processes of a kind have lines of their own; more could not be told apart, and the worst stands for all", () => {
  const workers = [1, 2, 3].map((id) => process({ id, lag_ms: { p50: 1, p99: id } }));
  const linesOf = (count: number) => lagLines(historyOf(snapshot(1, workers.slice(0, count))));

  expect(linesOf(2).map(({ label, minor }) => [label, minor])).toEqual([
    ["worker 1", false],
    ["worker 2", true],
  ]);
  expect(linesOf(3).find(({ label }) => label === "worst worker")?.values).toEqual([3]);
});

test("two snapshots in the same moment make no flood", () => {
  const history = historyOf(snapshot(1, [agent(1, 0)]), snapshot(2, [agent(1, 50)], { at: START + 1_050 }));

  expect(history.rate("agent", "output_tokens")).toEqual([null, null]);
});

const worker = (id: number) => process({ id, gauges: { health_p50_ms: id, health_p99_ms: id * 10 } });

test("the first moments of a process, in which it loads its code, are left out of lag and /health", () => {
  const spike = { lag_ms: { p50: 1, p99: 90 }, gauges: { health_p99_ms: 80 } };
  const history = historyOf(
    ...[0, 1, 2].map((uptime) => snapshot(uptime + 1, [process({ uptime_s: uptime, ...spike })])),
  );

  expect(lagLines(history)[0]?.values).toEqual([null, null, 90]);
  expect(healthLines(history)[0]?.values).toEqual([null, null, 80]);
});

test("each worker has its p99 and its p50, and many workers are shown by their worst", () => {
  const two = healthLines(historyOf(snapshot(1, [worker(1), worker(2)])));
  expect(two.map(({ label, values }) => [label, ...values])).toEqual([
    ["worker 1 p99", 10],
    ["worker 1 p50", 1],
    ["worker 2 p99", 20],
    ["worker 2 p50", 2],
  ]);
  const nine = Array.from({ length: 9 }, (_, index) => worker(index + 1));
  expect(healthLines(historyOf(snapshot(1, nine))).map(({ values }) => values)).toEqual([[90], [9]]);
});

test("a process without a child has no lag, and a gauge that nobody has makes no line of zeros", () => {
  const history = historyOf(snapshot(1, [process()]), snapshot(2, [process({ pid: null, state: "restarting" })]));

  expect(lagLines(history)[0]?.values).toEqual([2, null]);
  expect(deliveryLines(history)[0]?.values).toEqual([null, null]);
});

test("the state of the model is what its calls are doing", () => {
  expect(modelState(new History()).word).toBe("Unknown");
  expect(modelState(historyOf(snapshot(1, [agent(1, 0, { model_calls: 3 })])))).toEqual({
    word: "OK",
    tone: "ok",
    detail: "3 calls",
  });
  const waiting = { model_waiting: 2, model_wait_ms: 11_200 };
  expect(modelState(historyOf(snapshot(1, [agent(1, 0, waiting)])))).toEqual({
    word: "Retrying",
    tone: "warn",
    detail: "2 wait · 12 s more",
  });
  expect(modelState(historyOf(snapshot(1, [agent(1, 0, { ...waiting, model_rate_limited: 1 })]))).word).toBe(
    "Rate-limited",
  );
});

const open = (ms: number, waiting = 0) => ({ model_breaker_open: 1, model_breaker_ms: ms, model_waiting: waiting });
const stateOf = (...agents: ProcessInfo[]) => modelState(historyOf(snapshot(1, agents)));

test("an open breaker goes before all else, with the time to the first trial and those who wait for it", () => {
  expect(stateOf(agent(1, 0, { model_breaker_open: 0, model_breaker_ms: 0 })).word).toBe("OK");
  expect(stateOf(agent(1, 0, { model_rate_limited: 1, ...open(2_400, 12) }), agent(2, 0))).toEqual({
    word: "Breaker open",
    tone: "bad",
    detail: "next try in 3 s · 12 wait",
  });
  expect(stateOf(agent(1, 0, open(8_000, 1)), agent(2, 0, open(1_000))).detail).toBe("next try in 1 s · 1 waits");
  expect(stateOf(agent(1, 0, open(0))).detail).toBe("trying again");
});

const failed = (n: number, model_failures: number) => snapshot(n, [agent(1, 0, { model_failures })]);

test("failures of the last minute are told while the model is well again", () => {
  expect(modelState(historyOf(failed(1, 5), failed(2, 5), failed(3, 7))).detail).toBe("0 calls · 2 failed lately");
});
