/** How the contract lets days pass: the clock of this process is moved on, and the upkeep runs. */
import { onTestFinished, vi } from "vitest";
import type { Retention } from "../../core/retention.ts";
import type { Engine } from "../engine.ts";

export const DAY_MS = 86_400_000;

/** Moves the clock of this process on by two days. */
export function moveOn(): void {
  if (!vi.isFakeTimers()) {
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
  }
  vi.setSystemTime(Date.now() + 2 * DAY_MS);
}

/** Moves the clock on, and then runs the upkeep until it has nothing left to do. */
export async function later(engine: Engine, retention: Retention): Promise<void> {
  moveOn();
  await settled(engine, retention);
}

export async function settled(engine: Engine, retention: Retention): Promise<void> {
  for (let times = 0; await engine.retain(retention); times += 1) if (times > 100) throw new Error("It never ends.");
}
