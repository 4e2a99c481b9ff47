/**
 * What one model allows us, shared by all agent processes. Pure. `governor.ts` reads the shared text, lets a rule of
 * `asking.ts` or `outcomes.ts` make the next text, and writes that text if no other process was faster. Times are epoch
 * ms, because processes and machines share them.
 */

/** The order of calls. A call that has waited for AGED_MS gets the first rank, so that no call starves. */
export const RANKS = { interactive: 0, delegated: 1, background: 2 } as const;
export type Rank = (typeof RANKS)[keyof typeof RANKS];

export const MINUTE_MS = 60_000;
/** What a process reports about its waiting calls is valid for this long. The process repeats it each second. */
const STALE_MS = 3_000;
/** A limit that no server stated, but that we guessed from a refusal, is forgotten after this long. */
export const GUESS_MS = 5 * MINUTE_MS;
/** The longest wait that a server may ask of all our calls. */
export const MAX_BLOCK_MS = 5 * MINUTE_MS;
export const FAILURES_IN_A_ROW = 10;

/** Fills up evenly, from empty to `limit` within a minute. */
export interface Bucket {
  readonly limit: number;
  readonly level: number;
}

export const KINDS = ["requests", "input", "output"] as const;
export type Kind = (typeof KINDS)[number];

interface Demand {
  readonly rank: number;
  readonly calls: number;
  readonly at: number;
}

export interface Allowance {
  /** The time at which the levels were true. */
  readonly at: number;
  /** The model has answered: a limit that `buckets` lacks does not exist. */
  readonly known: boolean;
  readonly buckets: Readonly<Partial<Record<Kind, Bucket>>>;
  /** Until then, `buckets.requests` is a guess; 0: the server stated it. */
  readonly guessUntil: number;
  /** No call before this time. */
  readonly blockedUntil: number;
  /** The reason, for people. */
  readonly blockedFor: string;
  /** How many calls were let through so far, and how many of them had an outcome. */
  readonly granted: number;
  readonly answered: number;
  readonly grantedAt: number;
  /** How many calls were let through within the current minute. */
  readonly minute: { readonly since: number; readonly calls: number };
  /** Failures in a row, over all runs of all processes. */
  readonly failures: number;
  /** How often these failures opened the breaker since the last answer. */
  readonly openings: number;
  /** Waiting calls, by process. Bounded by the number of processes, as stale entries are dropped. */
  readonly demand: Readonly<Record<string, Demand>>;
}

export const NEW: Allowance = {
  at: 0,
  known: false,
  buckets: {},
  guessUntil: 0,
  blockedUntil: 0,
  blockedFor: "",
  granted: 0,
  answered: 0,
  grantedAt: 0,
  minute: { since: 0, calls: 0 },
  failures: 0,
  openings: 0,
  demand: {},
};

/** Whether the breaker is open: then calls wait, and one at a time is tried. */
export function isTroubled(a: Allowance): boolean {
  return a.failures >= FAILURES_IN_A_ROW;
}

/** Brings the levels to `now`, and forgets what is out of date. A clock that was set back adds nothing. */
export function refill(a: Allowance, now: number): Allowance {
  const share = Math.max(0, now - a.at) / MINUTE_MS;
  const isGuessOver = a.guessUntil > 0 && (a.guessUntil < now || a.guessUntil > now + GUESS_MS);
  const buckets: Partial<Record<Kind, Bucket>> = {};
  for (const kind of KINDS) {
    const bucket = a.buckets[kind];
    if (!bucket || (kind === "requests" && isGuessOver)) continue;
    buckets[kind] = { limit: bucket.limit, level: Math.min(bucket.limit, bucket.level + share * bucket.limit) };
  }
  const demand = Object.entries(a.demand).filter(([, { at }]) => Math.abs(now - at) < STALE_MS);
  return {
    ...a,
    at: now,
    buckets,
    guessUntil: isGuessOver ? 0 : a.guessUntil,
    // No server asks for more, so a clock that was ahead wrote this.
    blockedUntil: a.blockedUntil > now + MAX_BLOCK_MS ? now : a.blockedUntil,
    demand: Object.fromEntries(demand),
  };
}

export function lowered({ limit, level }: Bucket, by: number): Bucket {
  return { limit, level: Math.min(limit, level - by) };
}
