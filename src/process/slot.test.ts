import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { FakeProcess } from "../testing/fake-child.ts";
import { makeSlot, settle } from "../testing/fake-slot.ts";
import { VITALS } from "../testing/fake-tree.ts";
import { EXIT } from "./protocol.ts";
import type { Slot } from "./slot.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test.each<[string, (child: FakeProcess) => void]>([
  ["by SIGKILL", (child) => child.exit(null, "SIGKILL")],
  ["by a crash", (child) => child.exit(EXIT.crashed)],
  ["by exit code 0 without having been asked", (child) => child.exit(0)],
  ["with the code that says no restart can help", (child) => child.exit(EXIT.config)],
  ["because it flooded its channel", (child) => child.closeChannel("it sent too much")],
])("a child that was ready and died %s is replaced at once, however often", async (_, die) => {
  const { slot, forked, newest, onDeath, onHopeless } = makeSlot();
  void slot.start();

  for (let death = 1; death <= 20; death += 1) {
    newest().say({ type: "ready" });
    await settle();
    die(newest());
    await settle();
    expect(forked).toHaveLength(death + 1);
  }

  expect(onDeath).toHaveBeenCalledTimes(20);
  expect(slot.info()).toMatchObject({ restarts: 20, state: "starting" });
  expect(onHopeless).not.toHaveBeenCalled();
});

const NEVER_READY = [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000];
const ONCE_READY = [100, 200, 400, 800, 1_600, 2_000, 2_000];

test.each([
  ["never had a ready child", false, NEVER_READY],
  ["once had a ready child, which was replaced", true, ONCE_READY],
])("children that do not boot, in a place that %s, are tried again after a backoff that doubles", async (_, ...row) => {
  const [wasReady, waits] = row;
  const { slot, newest } = makeSlot({ maxBootFailures: Infinity });
  void slot.start();
  if (wasReady) await serveOnce(newest());

  for (const full of waits) {
    const wait = await waitAfterFailure(slot, newest());
    expect(wait).toBeGreaterThanOrEqual(full / 2);
    expect(wait).toBeLessThanOrEqual(full);
  }
  await serveOnce(newest());
  expect(await waitAfterFailure(slot, newest())).toBeLessThanOrEqual(100);
});

async function serveOnce(child: FakeProcess): Promise<void> {
  child.say({ type: "ready" });
  await settle();
  child.exit(1);
  await settle();
}

/** Milliseconds from the end of a child that never was ready to its successor's fork. */
async function waitAfterFailure(slot: Slot, child: FakeProcess): Promise<number> {
  child.exit(1);
  await settle();
  expect(slot.info()).toMatchObject({ state: "restarting", pid: null });
  const from = performance.now();
  await vi.advanceTimersToNextTimerAsync();
  return performance.now() - from;
}

test("onReturn is called once, when the replacement is ready", async () => {
  const { slot, newest, onReturn } = makeSlot();
  void slot.start();
  newest().say({ type: "ready" });
  await settle();
  expect(onReturn).not.toHaveBeenCalled();

  newest().exit(1);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(onReturn).not.toHaveBeenCalled();
  newest().say({ type: "ready" });
  await settle();

  expect(onReturn).toHaveBeenCalledExactlyOnceWith(slot, slot.child?.pid);
});

test("a child that never gets ready is given up after four tries, with what it said", async () => {
  const { slot, forked, newest, onHopeless } = makeSlot();
  void slot.start();

  for (let failure = 1; failure <= 4; failure += 1) {
    newest().say({ type: "failed", detail: "no config" });
    newest().exit(EXIT.crashed);
    await vi.advanceTimersByTimeAsync(1_000);
  }

  expect(forked).toHaveLength(4);
  expect(onHopeless).toHaveBeenCalledExactlyOnceWith(slot, "no config");
});

test("a fork that fails is tried again", async () => {
  const { slot, forked, newest, onDeath } = makeSlot({ pids: false });
  void slot.start();

  newest().emit("error", new Error("no memory is left"));
  await vi.advanceTimersByTimeAsync(100);

  expect(forked).toHaveLength(2);
  expect(slot.info().last_exit?.reason).toBe("no memory is left");
  expect(onDeath).toHaveBeenCalledOnce();
});

test("a child that says that no restart can help is not restarted", async () => {
  const { slot, forked, newest, onHopeless } = makeSlot();
  void slot.start();

  newest().exit(EXIT.config);
  await vi.advanceTimersByTimeAsync(60_000);

  expect(forked).toHaveLength(1);
  expect(onHopeless).toHaveBeenCalledOnce();
});

test("a place that once had a ready child is never given up", async () => {
  const { slot, newest, onHopeless } = makeSlot({ maxBootFailures: 4 });
  void slot.start();
  await serveOnce(newest());

  for (const code of [EXIT.crashed, EXIT.crashed, EXIT.crashed, EXIT.crashed, EXIT.config, EXIT.config]) {
    newest().exit(code);
    await vi.advanceTimersByTimeAsync(2_000);
  }

  expect(slot.info().state).toBe("starting");
  expect(onHopeless).not.toHaveBeenCalled();
});

test("a silent child is shown as stalled and then killed; one that beats is left alone", async () => {
  const { slot, newest, onDeath } = makeSlot();
  void slot.start();
  newest().say({ type: "ready" });
  await settle();

  await vi.advanceTimersByTimeAsync(4_001);
  slot.checkPulse();
  expect(slot.info().state).toBe("stalled");
  newest().say({
    type: "heartbeat",
    vitals: VITALS,
    gauges: { viewers: 6 },
  });
  expect(slot.info()).toMatchObject({ state: "ready", in_flight: 5, gauges: { viewers: 6 } });
  await vi.advanceTimersByTimeAsync(5_001);
  slot.checkPulse();
  await settle();

  expect(onDeath).toHaveBeenCalledOnce();
  expect(slot.info()).toMatchObject({ state: "starting", pid: 2 });
});

test("a child that does not drain in time is killed", async () => {
  const { slot, newest } = makeSlot();
  void slot.start();
  newest().say({ type: "ready" });
  slot.retire();
  const stopped = slot.drain(1_000);
  expect(slot.info().state).toBe("draining");

  await vi.advanceTimersByTimeAsync(4_001);
  await stopped;

  expect(slot.child?.state).toBe("gone");
});

test("a retired slot that was waiting to restart stays empty", async () => {
  const { slot, forked, newest } = makeSlot();
  void slot.start();
  newest().exit(1);
  await settle();

  slot.retire();
  await vi.advanceTimersByTimeAsync(60_000);

  expect(forked).toHaveLength(1);
});

test("a child that is slow to become ready is named after 5 s, and killed after 30", async () => {
  const { slot, forked, onSlow } = makeSlot();
  void slot.start();

  await vi.advanceTimersByTimeAsync(4_999);
  expect(onSlow).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(2);
  expect(onSlow).toHaveBeenCalledExactlyOnceWith(slot, { pid: forked[0]?.pid, waitedMs: 5_000 });
  await vi.advanceTimersByTimeAsync(25_000);

  expect(slot.info()).toMatchObject({ state: "restarting", last_exit: { reason: "not ready after 30000 ms, killed" } });
});

test("a child that closes its channel and goes on is killed", async () => {
  const { slot, forked, newest } = makeSlot();
  void slot.start();
  newest().say({ type: "ready" });
  await settle();

  newest().closeChannel();
  await vi.advanceTimersByTimeAsync(999);
  expect(forked).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(2);

  expect(forked).toHaveLength(2);
  expect(slot.info().last_exit?.reason).toBe("closed its channel and went on, killed");
});

test("a child whose channel is closed gets no more time when it is asked to drain", async () => {
  const { slot, newest } = makeSlot();
  void slot.start();
  newest().say({ type: "ready" });
  await settle();
  newest().closeChannel();

  const drained = slot.drain(600_000);
  await vi.advanceTimersByTimeAsync(1_001);
  await drained;

  expect(slot.info()).toMatchObject({ state: "restarting", pid: null });
  expect(slot.child?.state).toBe("gone");
});

test("the last exit says why a child died, and outlives its replacement", async () => {
  const { slot, newest } = makeSlot();
  void slot.start();
  const reasons: unknown[] = [slot.info().last_exit];
  const deaths = [
    async () => newest().exit(null, "SIGKILL"),
    async () => newest().exit(EXIT.crashed),
    async () => {
      await vi.advanceTimersByTimeAsync(5_001);
      slot.checkPulse();
    },
  ];

  for (const die of deaths) {
    newest().say({ type: "ready" });
    await settle();
    await die();
    await settle();
    reasons.push(slot.info().last_exit?.reason);
  }

  expect(reasons).toEqual([null, "SIGKILL", "exited with code 70", "silent for 5000 ms, killed"]);
  expect(slot.info()).toMatchObject({ restarts: 3, last_exit: { at: Date.now() } });
});

test("a process that is gone has no vitals and no gauges", async () => {
  const { slot, newest } = makeSlot();
  void slot.start();
  newest().say({ type: "ready" });
  await settle();
  newest().say({ type: "heartbeat", vitals: VITALS, gauges: { viewers: 6 } });

  newest().exit(1);
  await settle();

  expect(slot.info()).toMatchObject({ rss_bytes: 0, in_flight: 0, gauges: {} });
});

test("a death is reported in words that fit: tried again, replaced, given up", async () => {
  const { slot, newest, onDeath } = makeSlot();
  void slot.start();
  const other = makeSlot();
  void other.slot.start();

  newest().exit(EXIT.crashed);
  await vi.advanceTimersByTimeAsync(1_000);
  newest().say({ type: "ready" });
  await settle();
  newest().exit(EXIT.crashed);
  await settle();
  other.newest().exit(EXIT.config);
  await settle();

  const verdicts = [...onDeath.mock.calls, ...other.onDeath.mock.calls].map(([, { verdict }]) => verdict);
  expect(verdicts).toEqual([
    "did not start; it is tried again",
    "died; it is replaced",
    "did not start; it is given up",
  ]);
});

test("of two reasons for a kill the first one counts", async () => {
  const { slot, newest } = makeSlot();
  void slot.start();
  newest().say({ type: "ready" });
  await settle();
  newest().kill = () => {};
  await vi.advanceTimersByTimeAsync(5_001);

  slot.checkPulse();
  newest().closeChannel();
  await vi.advanceTimersByTimeAsync(1_001);
  newest().exit(null, "SIGKILL");
  await settle();

  expect(slot.info().last_exit?.reason).toBe("silent for 5000 ms, killed");
});
