/** Children that are replaced, and what becomes of those on their way out. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { makeSlot, settle } from "../testing/fake-slot.ts";
import { EXIT } from "./protocol.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A slot whose first child is ready. */
async function serving(options?: Parameters<typeof makeSlot>[0]) {
  const made = makeSlot(options);
  void made.slot.start();
  made.newest().say({ type: "ready" });
  await settle();
  return made;
}

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
  expect(forked[0]?.sent).toEqual([{ type: "drain", within_ms: 1_000, others_serve: true }]);
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

test("a replacement that is ready after its place was given up is killed", async () => {
  const { slot, forked } = makeSlot();
  void slot.start();
  forked[0]?.say({ type: "ready" });
  const preparing = slot.prepare();
  forked[1]?.say({ type: "ready" });
  const { commit } = await preparing;

  void slot.leave(1_000);
  await commit(1_000);

  expect(slot.info().pid).toBe(1);
  expect(forked[1]?.signal).toBe("SIGKILL");
});

test("a child that was replaced before it was ready is no death", async () => {
  const { slot, forked, onDeath } = makeSlot();
  void slot.start();
  const preparing = slot.prepare();
  forked[1]?.say({ type: "ready" });

  await (await preparing).commit(1_000);

  expect(forked[0]?.signal).toBe("SIGKILL");
  expect(slot.info()).toMatchObject({ pid: 2, leaving: 0, last_exit: null });
  expect(onDeath).not.toHaveBeenCalled();
});

test("a prepared child that takes the place of one that waits to restart serves alone", async () => {
  const { slot, forked, newest, onReturn } = makeSlot();
  void slot.start();
  newest().say({ type: "ready" });
  await settle();
  newest().exit(1);
  await settle();
  newest().exit(1);
  await settle();
  const preparing = slot.prepare();
  newest().say({ type: "ready" });

  void (await preparing).commit(1_000);
  await vi.advanceTimersByTimeAsync(60_000);

  expect(forked).toHaveLength(3);
  expect(slot.info()).toMatchObject({ pid: 3 });
  expect(onReturn).toHaveBeenCalledOnce();
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

async function replaced({ slot, forked }: ReturnType<typeof makeSlot>, withinMs: number): Promise<void> {
  const preparing = slot.prepare();
  forked.at(-1)?.say({ type: "ready" });
  void (await preparing).commit(withinMs);
}

test("an old child that still works is counted as leaving, and killed when it falls silent", async () => {
  const made = await serving();

  await replaced(made, 600_000);
  expect(made.slot.info()).toMatchObject({ pid: 2, leaving: 1 });
  await vi.advanceTimersByTimeAsync(5_001);
  made.newest().say({ type: "failed", detail: "a sign of life" });
  made.slot.checkPulse();
  await settle();

  expect(made.slot.info()).toMatchObject({ pid: 2, leaving: 0, last_exit: { reason: "silent for 5000 ms, killed" } });
});

test("an old child that falls silent is killed also while its successor boots anew", async () => {
  const made = await serving();
  await replaced(made, 600_000);
  made.newest().exit(1);
  await settle();
  expect(made.slot.info()).toMatchObject({ pid: 3, state: "starting", leaving: 1 });

  await vi.advanceTimersByTimeAsync(5_001);
  made.slot.checkPulse();
  await settle();

  expect(made.slot.info()).toMatchObject({ pid: 3, state: "starting", leaving: 0 });
});

test("a slot that is killed kills those on their way out, too", async () => {
  const made = await serving();
  await replaced(made, 600_000);

  made.slot.kill();

  expect(made.forked.map(({ signal }) => signal)).toEqual(["SIGKILL", "SIGKILL"]);
});

test("a silence that is forgiven is forgiven to those on their way out, too", async () => {
  const made = await serving();
  await replaced(made, 600_000);
  await vi.advanceTimersByTimeAsync(5_001);

  made.slot.forgiveSleep(5_001);
  made.slot.checkPulse();

  expect(made.forked.map(({ signal }) => signal)).toEqual([null, null]);
});

test("a slot that drains gives those on their way out no more time than its child", async () => {
  const made = await serving();
  await replaced(made, 600_000);

  const drained = made.slot.drain(1_000);
  expect(made.forked.map(({ sent }) => sent.at(-1))).toEqual([
    { type: "drain", within_ms: 1_000, others_serve: false },
    { type: "drain", within_ms: 1_000, others_serve: false },
  ]);
  for (const process of made.forked) process.exit(0);
  await drained;
});

test("a child on its way out no longer waits for slow clients once its slot drains, and gets no more time", async () => {
  const made = await serving();
  await replaced(made, 1_000);
  await vi.advanceTimersByTimeAsync(400);

  const drained = made.slot.drain(60_000);
  expect(made.forked[0]?.sent).toEqual([
    { type: "drain", within_ms: 1_000, others_serve: true },
    { type: "drain", within_ms: 600, others_serve: false },
  ]);
  for (const process of made.forked) process.exit(0);
  await drained;
});

test("a fourth child on its way out has the oldest give back its work", async () => {
  const made = await serving();

  for (let reload = 1; reload <= 4; reload += 1) await replaced(made, 600_000);

  expect(made.forked.map(({ sent }) => sent.at(-1))).toEqual([
    { type: "drain", within_ms: 0, others_serve: true },
    ...Array.from({ length: 3 }, () => ({ type: "drain", within_ms: 600_000, others_serve: true })),
    undefined,
  ]);
});

test("a child that drains stays draining, whatever it says", async () => {
  const { slot, newest } = makeSlot();
  void slot.start();
  newest().say({ type: "ready" });
  void slot.leave(1_000);

  newest().say({ type: "ready" });

  expect(slot.info().state).toBe("draining");
});
