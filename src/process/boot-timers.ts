/** Reports a child that is slow to become ready, and kills a child that does not become ready in time. Used by `slot.ts`. */
import { TimeLimit } from "../core/time-limit.ts";
import type { Child } from "./child.ts";

const SLOW_MS = 5_000;
const BOOT_MS = 30_000;

export interface SlowBoot {
  readonly pid: number;
  readonly waitedMs: number;
}

export class BootTimers {
  readonly #slow: TimeLimit;
  readonly #kill: TimeLimit;

  constructor(child: Child, onSlow: (slow: SlowBoot) => void) {
    this.#slow = new TimeLimit(SLOW_MS, () => onSlow({ pid: child.pid, waitedMs: SLOW_MS }));
    this.#kill = new TimeLimit(BOOT_MS, () => child.kill(`not ready after ${BOOT_MS} ms, killed`));
  }

  extend(ms: number): void {
    this.#slow.extend(ms);
    this.#kill.extend(ms);
  }

  stop(): void {
    this.#slow.stop();
    this.#kill.stop();
  }
}
