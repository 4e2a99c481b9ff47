/** Reports a child that is slow to become ready, and kills a child that does not become ready in time. Used by `slot.ts`. */
import type { Child } from "./child.ts";

const SLOW_MS = 5_000;
const BOOT_MS = 30_000;

export interface SlowBoot {
  readonly pid: number;
  readonly waitedMs: number;
}

export class BootTimers {
  readonly #slow: NodeJS.Timeout;
  readonly #kill: NodeJS.Timeout;

  constructor(child: Child, onSlow: (slow: SlowBoot) => void) {
    this.#slow = setTimeout(() => onSlow({ pid: child.pid, waitedMs: SLOW_MS }), SLOW_MS);
    this.#kill = setTimeout(() => child.kill(`not ready after ${BOOT_MS} ms, killed`), BOOT_MS);
  }

  stop(): void {
    clearTimeout(this.#slow);
    clearTimeout(this.#kill);
  }
}
