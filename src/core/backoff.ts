/** How long to wait before trying again. Pure: the caller passes the randomness, so that tests can fix it. */

export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * Doubling with "equal jitter": half the delay is fixed, half is random, so that many waiting callers spread out, but
 * nobody retries at once.
 * @param failures how many tries failed in a row, from 1
 * @param random a number in [0, 1)
 */
export function backoffMs(failures: number, { firstMs, maxMs }: BackoffOptions, random = Math.random()): number {
  const full = Math.min(maxMs, firstMs * 2 ** Math.min(30, failures - 1));
  return Math.round(full / 2 + (random * full) / 2);
}
