import { expect, test } from "vitest";
import { tokensPerSecond } from "../pages/overview/figures.ts";
import { agent, historyOf, process, snapshot } from "../history-fixture.ts";
import { deliveryLines, healthLines, lagLines, tokenLines } from "./lines.ts";

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
