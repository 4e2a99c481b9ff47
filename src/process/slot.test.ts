import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FakeProcess } from "../testing/fake-child.ts";
import { EXIT } from "./protocol.ts";
import { Slot, type Death } from "./slot.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function makeSlot() {
  const forked: FakeProcess[] = [];
  const onDeath = vi.fn<(slot: Slot, death: Death) => void>();
  const onHopeless = vi.fn<(slot: Slot, reason: string) => void>();
  const fork = () => {
    const process = new FakeProcess(forked.length + 1);
    forked.push(process);
    return process.child();
  };
  const onReturn = vi.fn<(slot: Slot, pid: number) => void>();
  const events = { onDeath, onReturn, onHopeless, onChange: vi.fn<() => void>() };
  const slot = new Slot({ kind: "worker", id: 1, stallMs: 5_000, maxBootFailures: 4, fork, ...events });
  const newest = () => {
    const process = forked.at(-1);
    if (!process) throw new Error("Nothing was forked.");
    return process;
  };
  return { slot, forked, newest, onDeath, onReturn, onHopeless };
}

const settle = () => vi.advanceTimersByTimeAsync(0);

test("a child that dies is replaced after a backoff that doubles", async () => {
  const { slot, forked, newest, onDeath } = makeSlot();
  void slot.start();
  const waits: number[] = [];

  for (let death = 1; death <= 5; death += 1) {
    newest().say({ type: "ready" });
    newest().exit(1);
    await settle();
    expect(slot.info()).toMatchObject({ state: "restarting", pid: null });
    const from = performance.now();
    await vi.advanceTimersToNextTimerAsync();
    waits.push(performance.now() - from);
  }

  expect(forked).toHaveLength(6);
  expect(onDeath).toHaveBeenCalledTimes(5);
  expect(slot.info().restarts).toBe(5);
  waits.forEach((wait, index) => {
    expect(wait).toBeGreaterThanOrEqual(50 * 2 ** index);
    expect(wait).toBeLessThanOrEqual(100 * 2 ** index);
  });
});

test("who takes the place of a dead child is told once it is ready, and nobody else", async () => {
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

test("a child that says that no restart can help is not restarted", async () => {
  const { slot, forked, newest, onHopeless } = makeSlot();
  void slot.start();

  newest().exit(EXIT.config);
  await vi.advanceTimersByTimeAsync(60_000);

  expect(forked).toHaveLength(1);
  expect(onHopeless).toHaveBeenCalledOnce();
});

test("a silent child is shown as stalled and then killed; one that beats is left alone", async () => {
  const { slot, newest, onDeath } = makeSlot();
  void slot.start();
  newest().say({ type: "ready" });

  await vi.advanceTimersByTimeAsync(4_000);
  slot.checkPulse();
  expect(slot.info().state).toBe("stalled");
  newest().say({
    type: "heartbeat",
    vitals: { rss_bytes: 1, cpu_percent: 2, lag_ms: { p50: 3, p99: 4 }, in_flight: 5 },
    gauges: { viewers: 6 },
  });
  expect(slot.info()).toMatchObject({ state: "ready", in_flight: 5, gauges: { viewers: 6 } });
  await vi.advanceTimersByTimeAsync(5_001);
  slot.checkPulse();
  await settle();

  expect(onDeath).toHaveBeenCalledOnce();
  expect(slot.info().state).toBe("restarting");
});

test("a replacement serves before the old child drains, whose end then restarts nothing", async () => {
  const { slot, forked, onDeath } = makeSlot();
  void slot.start();
  forked[0]?.say({ type: "ready" });
  const preparing = slot.prepare();
  expect(slot.info().pid).toBe(1);
  forked[1]?.say({ type: "ready" });

  const { commit } = await preparing;
  const drained = commit(1_000);

  expect(slot.info().pid).toBe(2);
  expect(forked[0]?.sent).toEqual([{ type: "drain" }]);
  forked[0]?.exit(0);
  await drained;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(forked).toHaveLength(2);
  expect(onDeath).not.toHaveBeenCalled();
});

test("a replacement that does not come up leaves the old child serving", async () => {
  const { slot, forked } = makeSlot();
  void slot.start();
  forked[0]?.say({ type: "ready" });

  const preparing = slot.prepare();
  forked[1]?.say({ type: "failed", detail: "a typo" });
  forked[1]?.exit(EXIT.crashed);

  await expect(preparing).rejects.toThrow("a typo");
  expect(slot.info()).toMatchObject({ pid: 1, state: "ready" });
});

test("a replacement that died between being ready and taking over is replaced in turn", async () => {
  const { slot, forked } = makeSlot();
  void slot.start();
  forked[0]?.say({ type: "ready" });
  const preparing = slot.prepare();
  forked[1]?.say({ type: "ready" });
  const { commit } = await preparing;
  forked[1]?.exit(1);

  void commit(1_000);
  forked[0]?.exit(0);
  await vi.advanceTimersByTimeAsync(1_000);

  expect(forked).toHaveLength(3);
  expect(slot.info().pid).toBe(3);
});

test("a child that does not drain in time is killed", async () => {
  const { slot, newest } = makeSlot();
  void slot.start();
  newest().say({ type: "ready" });
  slot.retire();
  const stopped = slot.drain(1_000);
  expect(slot.info().state).toBe("draining");

  await vi.advanceTimersByTimeAsync(1_000);
  await stopped;

  expect(slot.child?.state).toBe("gone");
});

test("a retired slot that was waiting to restart stays empty", async () => {
  const { slot, forked, newest } = makeSlot();
  void slot.start();
  newest().say({ type: "ready" });
  newest().exit(1);
  await settle();

  slot.retire();
  await vi.advanceTimersByTimeAsync(60_000);

  expect(forked).toHaveLength(1);
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
    await die();
    await vi.advanceTimersByTimeAsync(2_000);
    reasons.push(slot.info().last_exit?.reason);
  }

  expect(reasons).toEqual([null, "SIGKILL", "exited with code 70", "silent for 5000 ms, killed"]);
  expect(slot.info()).toMatchObject({ restarts: 3, last_exit: { at: Date.now() - 2_000 } });
});

test("a process that is gone has no vitals and no gauges", async () => {
  const { slot, newest } = makeSlot();
  void slot.start();
  newest().say({ type: "ready" });
  const vitals = { rss_bytes: 1, cpu_percent: 2, lag_ms: { p50: 3, p99: 4 }, in_flight: 5 };
  newest().say({ type: "heartbeat", vitals, gauges: { viewers: 6 } });

  newest().exit(1);
  await settle();

  expect(slot.info()).toMatchObject({ rss_bytes: 0, in_flight: 0, gauges: {} });
});

test("a death is told in words that fit: replaced, tried again, given up", async () => {
  const { slot, newest, onDeath } = makeSlot();
  void slot.start();

  newest().exit(EXIT.crashed);
  await vi.advanceTimersByTimeAsync(1_000);
  newest().say({ type: "ready" });
  newest().exit(EXIT.crashed);
  await vi.advanceTimersByTimeAsync(1_000);
  newest().exit(EXIT.config);
  await settle();

  expect(onDeath.mock.calls.map(([, { verdict }]) => verdict)).toEqual([
    "did not start; it is tried again",
    "died; it is replaced",
    "did not start; it is given up",
  ]);
});

test("a child that was replaced and dies on its way out is told as that", async () => {
  const { slot, forked, onDeath } = makeSlot();
  void slot.start();
  forked[0]?.say({ type: "ready" });
  const preparing = slot.prepare();
  forked[1]?.say({ type: "ready" });
  const drained = (await preparing).commit(1_000);

  forked[0]?.exit(null, "SIGKILL");
  await drained;

  expect(onDeath).toHaveBeenCalledExactlyOnceWith(
    slot,
    expect.objectContaining({ pid: 1, verdict: "died on its way out; its successor serves" }),
  );
  expect(slot.info()).toMatchObject({ pid: 2, last_exit: { reason: "SIGKILL" } });
});
