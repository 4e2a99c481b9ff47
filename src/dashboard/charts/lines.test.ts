import { expect, test } from "vitest";
import { tokensPerSecond } from "../pages/overview/figures.ts";
import { agent, historyOf, process, snapshot } from "../store/history-fixture.ts";
import type { ProcessInfo } from "../store/history.ts";
import { deliveryLines, healthLines, lagLines, tokenLines, type Line } from "./lines.ts";

test("tokens a second are the growth of all counters, also over a restart that began at 0 again", () => {
  const history = historyOf(
    snapshot(1, [agent(1, 100), agent(2, 1_000)]),
    snapshot(2, [agent(1, 150), agent(2, 1_050)]),
    snapshot(3, [{ ...agent(1, 30), pid: 200 }, agent(2, 1_050)]),
  );

  expect(tokenLines(history)[0]?.values).toEqual([null, 100, 65]);
  expect(tokensPerSecond(history)).toBe(65);
});

test("the first moments of a process, in which it loads its code, are left out of lag and /health", () => {
  const spike = { lag_ms: { p50: 1, p99: 90 }, gauges: { health_p99_ms: 80 } };
  const history = historyOf(
    ...[0, 1, 2].map((uptime) => snapshot(uptime + 1, [process({ uptime_s: uptime, ...spike })])),
  );

  expect(lagLines(history, "worker 1")[0]?.values).toEqual([null, null, 90]);
  expect(healthLines(history, "worker 1")[0]?.values).toEqual([null, null, 80]);
});

test("a process without a child has no lag, and a gauge that nobody has makes no line of zeros", () => {
  const history = historyOf(snapshot(1, [process()]), snapshot(2, [process({ pid: null, state: "restarting" })]));

  expect(lagLines(history, "worker 1")[0]?.values).toEqual([2, null]);
  expect(deliveryLines(history)[0]?.values).toEqual([null, null]);
});

const worker = (id: number, fields: Partial<ProcessInfo> = {}) =>
  process({
    id,
    lag_ms: { p50: id, p99: id * 5 },
    gauges: { health_p50_ms: id, health_p99_ms: id * 10 },
    ...fields,
  });
const shown = (lines: readonly Line[]) => lines.map(({ label, values }) => [label, ...values]);

test("unless a process is chosen, the worst of each kind stands for all, whichever it is", () => {
  const simulator = process({ kind: "simulator", lag_ms: { p50: 1, p99: 4 } });
  const later = [worker(1, { lag_ms: { p50: 1, p99: 70 } }), worker(2), simulator];
  const history = historyOf(snapshot(1, [worker(1), worker(2), simulator]), snapshot(2, later));

  expect(shown(healthLines(history, null))).toEqual([
    ["worst worker p99", 20, 20],
    ["worst worker p50", 2, 2],
  ]);
  expect(shown(lagLines(history, null))).toEqual([
    ["primary p99", null, null],
    ["worst worker p99", 10, 70],
    ["worst agent p99", null, null],
    ["simulator p99", 4, 4],
  ]);
});

test("a chosen process has its p99, and its p50 as the smaller sister", () => {
  const history = historyOf(snapshot(1, [worker(1), worker(2), worker(3)]));

  expect(shown(healthLines(history, "worker 2"))).toEqual([
    ["worker 2 p99", 20],
    ["worker 2 p50", 2],
  ]);
  expect(shown(lagLines(history, "worker 2"))).toEqual([
    ["worker 2 p99", 10],
    ["worker 2 p50", 2],
  ]);
  expect(lagLines(history, "worker 2").map(({ minor }) => minor ?? false)).toEqual([false, true]);
});

test("the lines of a chosen process break while it is restarted, and go on with the one in its place", () => {
  const history = historyOf(
    snapshot(1, [worker(1)]),
    snapshot(2, [worker(1, { pid: null, state: "restarting", gauges: {} })]),
    snapshot(3, [worker(1, { pid: 200, restarts: 1, lag_ms: { p50: 2, p99: 9 } })]),
  );

  expect(shown(lagLines(history, "worker 1"))[0]).toEqual(["worker 1 p99", 5, null, 9]);
  expect(shown(healthLines(history, "worker 1"))[0]).toEqual(["worker 1 p99", 10, null, 10]);
});

test("a process of a kind that answers no /health, or that is gone, has empty lines", () => {
  const history = historyOf(snapshot(1, [worker(1), agent(1, 0)]));

  expect(shown(healthLines(history, "agent 1"))).toEqual([
    ["agent 1 p99", null],
    ["agent 1 p50", null],
  ]);
  expect(shown(lagLines(history, "worker 9"))[0]).toEqual(["worker 9 p99", null]);
});
