import { expect, test, vi } from "vitest";
import { defineAgents } from "../core/agent.ts";
import { customEvent, type RunEvent } from "../core/event.ts";
import { startCluster } from "../testing/cluster.ts";
import { ModelTap } from "../testing/model-tap.ts";
import { Attempts } from "./attempts.ts";
import { Parking } from "./parking.ts";
import { quiet } from "./summary.ts";

test("a run that waits out a long refusal of its model is listed as parked, until it is canceled", async () => {
  await using cluster = await startCluster();
  const parked = async () => (await cluster.client.get("/api/runs?parked=true")).body["runs"];

  const runId = await cluster.client.begin("/sim tokens=4 status=429 times=1 retry_after=60");
  await vi.waitFor(async () =>
    expect(await parked()).toMatchObject([
      { run_id: runId, waiting: { reason: expect.stringContaining("429"), until: expect.any(Number) } },
    ]),
  );
  await cluster.client.post(`/api/runs/${runId}/cancel`, {});

  await vi.waitFor(async () => expect(await parked()).toEqual([]));
});

test("as many runs count as parked as are listed as parked, also while a wait is too short to be told", async () => {
  const agents = defineAgents({ assistant: { model: "m", maxTokens: 50, budget: { day: { tokens: 50 } } } });
  await using cluster = await startCluster({ agents, runner: false });
  const runner = await cluster.startRunner();
  const listed = async () => (await cluster.client.get("/api/runs?parked=true")).body["runs"] as object[];
  // The first call reserves all of the day's budget, so the second one waits.
  await cluster.client.begin("/sim tokens=1 ttft=60000");
  await vi.waitFor(() => expect(cluster.simulator.stats().requests).toBe(1), WITHIN);
  await cluster.client.begin("/sim tokens=1");

  const counted = async () => {
    const count = runner.parked;
    const { length } = await listed();
    expect(count).toBeLessThanOrEqual(length);
    return length;
  };
  while ((await counted()) === 0);

  await vi.waitFor(() => expect(runner.parked).toBe(1), WITHIN);
});

const WITHIN = { timeout: 5_000, interval: 20 };

test("a wait before the call that shortens a conversation is told, though the text of the call is not", () => {
  const told: RunEvent[] = [];
  const journal = { emit: (event: RunEvent) => told.push(event), text: () => {}, args: () => {}, retry: () => {} };
  const wait = { reason: "a rate limit", until: 9 };

  new Attempts(quiet(journal), "compact").wait(wait);

  expect(told).toEqual([customEvent("evenkeel.waiting", wait)]);
});

test("runs that a limited model makes wait are ten a slot at most, and go on only as slots are free", async () => {
  await using tap = await ModelTap.open();
  await using cluster = await startCluster({ modelUrl: tap.url, runner: false, settings: { agentConcurrency: 2 } });
  tap.target = cluster.simulator.url;
  const runner = await cluster.startRunner();
  const limitedUntil = performance.now() + 5_000;
  tap.answer = () => (performance.now() < limitedUntil ? limited(limitedUntil - performance.now()) : undefined);

  const runIds = await Promise.all(Array.from({ length: 30 }, () => cluster.client.begin("/sim tokens=5 rate=50")));
  // Runs that wait hold no slot, but an agent takes no more of them than ten a slot.
  await vi.waitFor(() => expect(runner.inFlight).toBe(2 * 10), { timeout: 4_000 });
  let most = 0;
  const watching = setInterval(() => (most = Math.max(most, cluster.meter.read()["model_calls"] ?? 0)), 5);
  for (const runId of runIds) await cluster.client.follow(runId).then((response) => response.text());
  clearInterval(watching);

  expect(most).toBe(2);
}, 60_000);

function limited(ms: number): Response {
  const error = { type: "error", error: { type: "rate_limit_error", message: "slow down" } };
  return Response.json(error, { status: 429, headers: { "retry-after": String(Math.ceil(ms / 1_000)) } });
}

test("a run whose pause is over waits for a slot until it is canceled", async () => {
  const parking = new Parking(() => {});
  const cancel = new AbortController();
  const paused = parking.pause(Promise.resolve("over"), cancel.signal);
  await vi.waitFor(() => expect(parking.wantsSlot).toBe(true));
  expect(parking.isParked).toBe(true);

  cancel.abort(new Error("canceled"));

  await expect(paused).rejects.toThrow("canceled");
  expect(parking).toMatchObject({ isPaused: false, wantsSlot: false });
});

test("a run gives its slot back when the last of its calls that works has ended, and takes it with the end of a wait", async () => {
  const onParked = vi.fn<() => void>();
  const parking = new Parking(onParked);
  const [elsewhere, here] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const waiting = parking.call(() => parking.wait(elsewhere.promise));
  const working = parking.call(() => here.promise);
  onParked.mockClear();
  expect(parking.isParked).toBe(false);

  here.resolve();
  await working;
  expect(parking.isParked).toBe(true);
  expect(onParked).toHaveBeenCalledOnce();

  elsewhere.resolve();
  await waiting;
  expect(parking.isParked).toBe(false);
  expect(onParked).toHaveBeenCalledOnce();
});
