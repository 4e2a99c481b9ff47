/** Time limits while the primary itself stands still: nobody could keep them. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { makeSlot, settle } from "../testing/fake-slot.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const BOOT_MS = 30_000;
const DRAIN_MS = 30_000;
const SLEEP_MS = 40_000;

/** A slot with a child whose time runs. */
const LIMITED = [
  ["boots", (slot: ReturnType<typeof makeSlot>) => void slot.slot.start()],
  [
    "boots to replace another",
    async (made: ReturnType<typeof makeSlot>) => {
      await serve(made);
      made.slot.prepare().catch(() => {});
    },
  ],
  [
    "drains",
    async (made: ReturnType<typeof makeSlot>) => {
      await serve(made);
      void made.slot.drain(DRAIN_MS - 3_000);
    },
  ],
] as const;

async function serve({ slot, newest }: ReturnType<typeof makeSlot>): Promise<void> {
  void slot.start();
  newest().say({ type: "ready" });
  await settle();
}

test.each(LIMITED)("a child that %s has the time in which the primary slept on top, and no more", async (_, begin) => {
  const made = makeSlot({ maxBootFailures: 1 });
  await begin(made);
  const child = made.newest();

  await vi.advanceTimersByTimeAsync(BOOT_MS - 1_000);
  made.slot.forgiveSleep(SLEEP_MS);
  await vi.advanceTimersByTimeAsync(SLEEP_MS + 900);
  expect(child.signal).toBeNull();
  await vi.advanceTimersByTimeAsync(200);

  expect(child.signal).toBe("SIGKILL");
});
