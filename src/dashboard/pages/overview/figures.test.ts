import { expect, test } from "vitest";
import { agent, historyOf, process, snapshot } from "../../store/history-fixture.ts";
import { History, type ProcessInfo } from "../../store/history.ts";
import { healthTone, modelState, tokensDetail } from "./figures.ts";

const worker = (samples: number) => process({ gauges: { health_samples: samples } });

/** The tokens that the model had read by then. */
const read = (second: number, input: number, cached: number) =>
  snapshot(second, [agent(1, 0, { input_tokens: input, cached_input_tokens: cached })]);

test("a p99 has no color before twenty answers: the first of a fresh worker is slow", () => {
  expect([healthTone(300, worker(19)), healthTone(300, worker(20)), healthTone(3, worker(20))]).toEqual([
    "idle",
    "bad",
    "ok",
  ]);
});

test("the share of input that came from the prompt cache is that of the time that is kept", () => {
  expect(tokensDetail(historyOf(read(1, 100, 100)))).toBe("written, estimated");
  expect(tokensDetail(historyOf(read(1, 100, 100), read(2, 200, 100), read(3, 500, 400)))).toBe(
    "written · 75 % of input from cache",
  );
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
