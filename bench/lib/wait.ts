/** Waits with a time limit: for a time to pass, or for a condition. */
import { setTimeout as sleep } from "node:timers/promises";

export interface Patience {
  /** Names what was awaited, for the error message. */
  readonly what: string;
  readonly timeoutMs: number;
  readonly everyMs?: number;
}

/** Asks again and again until the answer is not undefined. @throws Error naming what did not come in time */
export async function until<T>(
  ask: () => Promise<T | undefined>,
  { what, timeoutMs, everyMs = 20 }: Patience,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) throw new Error(`Expected ${what} within ${timeoutMs} ms.`);
    await sleep(everyMs);
  }
}

export { sleep };
