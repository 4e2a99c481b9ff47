/**
 * What the outcomes of calls say about the model's limits. Pure rules over what the processes share (`allowance.ts`).
 */
import { backoffMs } from "../../core/backoff.ts";
import {
  FAILURES_IN_A_ROW,
  GUESS_MS,
  KINDS,
  lowered,
  MAX_BLOCK_MS,
  refill,
  type Allowance,
  type Bucket,
  type Kind,
} from "./allowance.ts";

/** A refusal after fewer calls within a minute must have another reason: guess no limit from it. */
const GUESS_CALLS = 20;
const OPEN = { firstMs: 500, maxMs: 5_000 };

/** What the headers of an answer say, by kind. */
export type Told = Readonly<Partial<Record<Kind, { readonly limit: number; readonly remaining: number }>>>;

/** The model has begun to answer the call that was granted as number `nth`. */
export function heard(a: Allowance, told: Told, { nth, now }: Outcome): Allowance {
  const filled = refill(a, now);
  const buckets: Partial<Record<Kind, Bucket>> = { ...filled.buckets };
  // The server's count does not include calls that were let through after this one.
  const since = filled.granted - nth;
  for (const kind of KINDS) {
    const { limit, remaining } = told[kind] ?? {};
    if (limit === undefined || remaining === undefined) continue;
    buckets[kind] = { limit, level: Math.max(0, Math.min(limit, kind === "requests" ? remaining - since : remaining)) };
  }
  const isTold = told.requests !== undefined;
  // The beginning of an answer is not a whole answer yet: the next failure must open the breaker again.
  const failures = Math.min(filled.failures, FAILURES_IN_A_ROW - 1);
  return settled({
    ...filled,
    known: true,
    buckets,
    guessUntil: isTold ? 0 : filled.guessUntil,
    failures,
  });
}

/** The model has given a whole answer. */
export function succeeded(a: Allowance): Allowance {
  return { ...a, failures: 0, openings: 0 };
}

/** Corrects the levels after a call: the tokens that it took count, in place of the estimate. */
export function used(
  a: Allowance,
  tokens: { input: number; estimated: number; output: number },
  now: number,
): Allowance {
  const filled = refill(a, now);
  const { input, output } = filled.buckets;
  return {
    ...filled,
    buckets: {
      ...filled.buckets,
      ...(input && { input: lowered(input, tokens.input - tokens.estimated) }),
      ...(output && { output: lowered(output, tokens.output) }),
    },
  };
}

export interface Outcome {
  /** The number under which the call was let through. */
  readonly nth: number;
  readonly now: number;
}

/** Reads from a refusal when to try again, and which limits it is about. */
export interface Refusal {
  readonly waitMs: number | undefined;
  readonly told?: Told;
  readonly now: number;
}

/** Status 429: the model wants fewer requests from us. No call is let through until `waitMs` has passed. */
export function limited(a: Allowance, { waitMs, told = {}, now }: Refusal): Allowance {
  const filled = settled(refill(a, now));
  const block = {
    known: true,
    blockedUntil: Math.max(a.blockedUntil, now + Math.min(MAX_BLOCK_MS, waitMs ?? 5_000)),
    blockedFor: "the model limits our requests",
  };
  const buckets: Partial<Record<Kind, Bucket>> = { ...filled.buckets };
  for (const kind of KINDS) {
    const { limit, remaining } = told[kind] ?? {};
    if (limit !== undefined && remaining !== undefined) buckets[kind] = { limit, level: Math.min(limit, remaining) };
  }
  if (Object.keys(buckets).length > 0 || filled.minute.calls < GUESS_CALLS) return { ...filled, ...block, buckets };
  // The model did not say what it allows: guess a little less than what it refused.
  const limit = Math.max(1, Math.floor(filled.minute.calls * 0.8));
  return { ...filled, ...block, guessUntil: now + GUESS_MS, buckets: { requests: { limit, level: 0 } } };
}

/**
 * The model is in trouble: 529, 5xx, no connection, a broken answer. The tenth failure in a row blocks all calls for a
 * while.
 */
export function failed(a: Allowance, { waitMs, now }: Refusal): Allowance {
  const next = settled({ ...refill(a, now), failures: a.failures + 1 });
  const isVerdict = next.failures >= FAILURES_IN_A_ROW && a.blockedUntil <= now;
  if (!isVerdict && waitMs === undefined) return next;
  const openings = isVerdict ? a.openings + 1 : a.openings;
  const pauseMs = isVerdict ? backoffMs(openings, OPEN) : 0;
  const blockedUntil = Math.max(a.blockedUntil, now + Math.min(MAX_BLOCK_MS, Math.max(waitMs ?? 0, pauseMs)));
  return { ...next, openings, blockedUntil, blockedFor: "the model is in trouble" };
}

/** A call that has no outcome: its run was canceled. */
export function left(a: Allowance): Allowance {
  return settled(a);
}

function settled(a: Allowance): Allowance {
  return { ...a, answered: Math.min(a.granted, a.answered + 1) };
}
