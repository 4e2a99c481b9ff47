/**
 * What one model allows us, as all agent processes share it: the rules, pure. `governor.ts` reads the shared text, asks a
 * function of this file for the next one, and writes that if nobody was faster. Times are epoch ms, because processes and
 * machines share them.
 */
import { backoffMs } from "../../core/backoff.ts";

/** The order of calls. A call that has waited for AGED_MS goes with the first ones, so that no call starves. */
export const RANKS = { interactive: 0, delegated: 1, background: 2 } as const;
export type Rank = (typeof RANKS)[keyof typeof RANKS];

const MINUTE_MS = 60_000;
/** Calls in flight while nobody knows yet what the model allows. The first answer tells. */
const PROBES = 4;
/** A probe or a trial without an outcome for this long counts no more: its process may have died. */
const LOST_MS = 15_000;
/** What a process says of its waiting calls holds this long. It says it again each second. */
const STALE_MS = 3_000;
/** A limit that nobody told, learned from a refusal, is forgotten after this long. */
const GUESS_MS = 5 * MINUTE_MS;
/** From fewer calls within a minute nothing is guessed: such a refusal has another reason. */
const GUESS_CALLS = 20;
/** A wait that a server may ask of all our calls. */
const MAX_BLOCK_MS = 5 * MINUTE_MS;
const FAILURES_IN_A_ROW = 10;
const OPEN = { firstMs: 500, maxMs: 5_000 };

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
  /** When the levels were true. */
  readonly at: number;
  /** The model has answered: what `buckets` does not say is not limited. */
  readonly known: boolean;
  readonly buckets: Readonly<Partial<Record<Kind, Bucket>>>;
  /** Until then `buckets.requests` is a guess; 0: it was told. */
  readonly guessUntil: number;
  /** No call before. */
  readonly blockedUntil: number;
  /** Why, for people. */
  readonly blockedFor: string;
  /** Calls let through so far, and how many of them had an outcome. */
  readonly granted: number;
  readonly answered: number;
  readonly grantedAt: number;
  /** Calls let through within the current minute. */
  readonly minute: { readonly since: number; readonly calls: number };
  /** Failures in a row, over all runs of all processes. */
  readonly failures: number;
  /** How often that opened the breaker since the last answer. */
  readonly openings: number;
  /** Calls that wait, by process. Bounded by the processes: stale ones are dropped. */
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

/** A call that waits, in the order in which its process wants them let through. */
export interface Ask {
  readonly rank: number;
  /** Input tokens, estimated. */
  readonly tokens: number;
}

export interface Asked {
  readonly next: Allowance;
  /** How many of the asks are let through, from the first on. */
  readonly granted: number;
  /** Until the first that is not may be; 0 when all are. */
  readonly waitMs: number;
  /** Until the last that waits may be, as far as that can be told. */
  readonly reason: string;
}

/** True when a call needs no asking: nothing is limited, blocked, or waiting. */
export function isOpen(a: Allowance, now: number): boolean {
  return (
    a.known &&
    a.failures < FAILURES_IN_A_ROW &&
    a.blockedUntil <= now &&
    Object.keys(refill(a, now).buckets).length === 0
  );
}

/** Lets through as many of `asks` as may go now, and notes that `process` has the others waiting. */
export function ask(a: Allowance, process: string, { asks, now }: { asks: readonly Ask[]; now: number }): Asked {
  let next = refill(a, now);
  const others = Object.entries(next.demand).filter(([name]) => name !== process);
  const best = Math.min(Infinity, ...others.map(([, { rank }]) => rank));
  let granted = 0;
  while (granted < asks.length) {
    const { rank, tokens } = asks[granted] as Ask;
    if (rank > best || !mayGo(next, tokens, now)) break;
    next = taken(next, tokens, now);
    granted += 1;
  }
  const rest = asks.slice(granted);
  const demand = Object.fromEntries(others);
  if (rest[0]) demand[process] = { rank: rest[0].rank, calls: rest.length, at: now };
  return { next: { ...next, demand }, granted, ...waitOf(next, rest, now) };
}

/** How long a call with `ahead` others before it waits, as far as that can be told. */
export function etaMs(a: Allowance, ahead: number, now: number): number {
  const { requests } = refill(a, now).buckets;
  const blockedMs = Math.max(0, a.blockedUntil - now);
  if (!requests) return blockedMs;
  return blockedMs + Math.max(0, ((ahead + 1 - requests.level) * MINUTE_MS) / requests.limit);
}

/** What the headers of an answer say, by kind. */
export type Told = Readonly<Partial<Record<Kind, { readonly limit: number; readonly remaining: number }>>>;

/** The model has begun to answer the call that was granted as number `nth`. */
export function heard(a: Allowance, told: Told, { nth, now }: Outcome): Allowance {
  const filled = refill(a, now);
  const buckets: Partial<Record<Kind, Bucket>> = { ...filled.buckets };
  // The server's count does not include calls that were let through later.
  const since = filled.granted - nth;
  for (const kind of KINDS) {
    const { limit, remaining } = told[kind] ?? {};
    if (limit === undefined || remaining === undefined) continue;
    buckets[kind] = { limit, level: Math.max(0, Math.min(limit, kind === "requests" ? remaining - since : remaining)) };
  }
  const isTold = told.requests !== undefined;
  // The next failure opens the breaker again: a beginning is not yet a whole answer.
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

/** The tokens that a call took, and how many were estimated for it. */
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
  /** As which number the call was let through. */
  readonly nth: number;
  readonly now: number;
}

/** What a refusal says of when to come back, and of the limits that it is for. */
export interface Refusal {
  readonly waitMs: number | undefined;
  readonly told?: Told;
  readonly now: number;
}

/** Status 429: the model wants fewer requests of us. Nothing more is let through until `waitMs` has passed. */
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
  // It did not say what it allows: a little less than what it refused.
  const limit = Math.max(1, Math.floor(filled.minute.calls * 0.8));
  return { ...filled, ...block, guessUntil: now + GUESS_MS, buckets: { requests: { limit, level: 0 } } };
}

/** The model is in trouble: 529, 5xx, no connection, a broken answer. The tenth in a row blocks all calls for a while. */
export function failed(a: Allowance, { waitMs, now }: Refusal): Allowance {
  const next = settled({ ...refill(a, now), failures: a.failures + 1 });
  const isVerdict = next.failures >= FAILURES_IN_A_ROW && a.blockedUntil <= now;
  if (!isVerdict && waitMs === undefined) return next;
  const openings = isVerdict ? a.openings + 1 : a.openings;
  const pauseMs = isVerdict ? backoffMs(openings, OPEN) : 0;
  const blockedUntil = Math.max(a.blockedUntil, now + Math.min(MAX_BLOCK_MS, Math.max(waitMs ?? 0, pauseMs)));
  return { ...next, openings, blockedUntil, blockedFor: "the model is in trouble" };
}

/** A call that came to no outcome: its run was canceled. */
export function left(a: Allowance): Allowance {
  return settled(a);
}

/** Whether the breaker is open: calls wait, and one at a time tries. */
export function isTroubled(a: Allowance): boolean {
  return a.failures >= FAILURES_IN_A_ROW;
}

function mayGo(a: Allowance, tokens: number, now: number): boolean {
  if (a.blockedUntil > now) return false;
  const inFlight = now - a.grantedAt > LOST_MS ? 0 : a.granted - a.answered;
  if (isTroubled(a)) return inFlight <= 0;
  if (!a.known) return inFlight < PROBES;
  const { requests, input, output } = a.buckets;
  // More tokens than the bucket holds would never go: such a call goes when the bucket is full.
  const needed = input ? Math.min(tokens, input.limit) : 0;
  return (requests?.level ?? 1) >= 1 && (input?.level ?? 0) >= needed && (output?.level ?? 1) > 0;
}

function taken(a: Allowance, tokens: number, now: number): Allowance {
  const { requests, input } = a.buckets;
  const minute = now - a.minute.since < MINUTE_MS ? a.minute : { since: now, calls: 0 };
  return {
    ...a,
    granted: a.granted + 1,
    grantedAt: now,
    minute: { ...minute, calls: minute.calls + 1 },
    buckets: {
      ...a.buckets,
      ...(requests && { requests: lowered(requests, 1) }),
      ...(input && { input: lowered(input, tokens) }),
    },
  };
}

function waitOf(a: Allowance, rest: readonly Ask[], now: number): { waitMs: number; reason: string } {
  const [first] = rest;
  if (!first) return { waitMs: 0, reason: "" };
  if (a.blockedUntil > now) return { waitMs: a.blockedUntil - now, reason: a.blockedFor };
  if (isTroubled(a)) return { waitMs: 250, reason: "the model is in trouble" };
  if (!a.known) return { waitMs: 100, reason: "nobody knows yet what the model allows" };
  const waits = KINDS.map((kind) => missingMs(a.buckets[kind], kind === "input" ? first.tokens : 1));
  const waitMs = Math.max(...waits);
  const kind = KINDS[waits.indexOf(waitMs)] ?? "requests";
  if (waitMs === 0) return { waitMs: 250, reason: "calls that go first wait too" };
  const { limit = 0 } = a.buckets[kind] ?? {};
  const unit = kind === "requests" ? "requests" : `${kind} tokens`;
  return { waitMs, reason: `the model allows ${limit} ${unit} a minute` };
}

function missingMs(bucket: Bucket | undefined, needed: number): number {
  if (!bucket) return 0;
  return Math.max(0, Math.ceil(((Math.min(needed, bucket.limit) - bucket.level) * MINUTE_MS) / bucket.limit));
}

/** Brings the levels to `now`, and forgets what is out of date. A clock that was set back fills nothing. */
function refill(a: Allowance, now: number): Allowance {
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
    // Set by a clock that was ahead: no server asks for more.
    blockedUntil: a.blockedUntil > now + MAX_BLOCK_MS ? now : a.blockedUntil,
    demand: Object.fromEntries(demand),
  };
}

function lowered({ limit, level }: Bucket, by: number): Bucket {
  return { limit, level: Math.min(limit, level - by) };
}

function settled(a: Allowance): Allowance {
  return { ...a, answered: Math.min(a.granted, a.answered + 1) };
}
