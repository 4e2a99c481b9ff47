/**
 * Decides whether a call may go to the model now, and otherwise when. Pure rules over what the processes share
 * (`allowance.ts`).
 */
import {
  FAILURES_IN_A_ROW,
  isTroubled,
  KINDS,
  lowered,
  MINUTE_MS,
  refill,
  type Allowance,
  type Bucket,
} from "./allowance.ts";

/** Calls in flight while nobody knows yet what the model allows. The first answer says it. */
const PROBES = 4;
/** A probe or trial without an outcome for this long does not count any more: its process may have died. */
const LOST_MS = 15_000;

/** A waiting call. The asks of a process come in the order in which it wants them let through. */
export interface Ask {
  readonly rank: number;
  /** Input tokens, estimated. */
  readonly tokens: number;
}

export interface Answer {
  readonly next: Allowance;
  /** How many of the asks are let through, counted from the first. */
  readonly granted: number;
  /** How long until the next one may go; 0 when all may go. */
  readonly waitMs: number;
  /** How long until the last waiting call may go, as far as that can be estimated. */
  readonly reason: string;
}

/** True when a call need not ask: nothing is limited or blocked, and no call waits. */
export function isOpen(a: Allowance, now: number): boolean {
  return (
    a.known &&
    a.failures < FAILURES_IN_A_ROW &&
    a.blockedUntil <= now &&
    Object.keys(refill(a, now).buckets).length === 0
  );
}

/** Lets through as many of `asks` as may go now, and notes that the others of `process` wait. */
export function ask(a: Allowance, process: string, { asks, now }: { asks: readonly Ask[]; now: number }): Answer {
  let next = withoutLost(refill(a, now), now);
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

/** How long a call waits that has `ahead` others before it, as far as that can be estimated. */
export function etaMs(a: Allowance, ahead: number, now: number): number {
  const { requests } = refill(a, now).buckets;
  const blockedMs = Math.max(0, a.blockedUntil - now);
  if (!requests) return blockedMs;
  return blockedMs + Math.max(0, ((ahead + 1 - requests.level) * MINUTE_MS) / requests.limit);
}

/** Calls that a dead process leaves behind have no outcome, and must not count beside later probes and trials. */
function withoutLost(a: Allowance, now: number): Allowance {
  return now - a.grantedAt > LOST_MS ? { ...a, answered: a.granted } : a;
}

function mayGo(a: Allowance, tokens: number, now: number): boolean {
  if (a.blockedUntil > now) return false;
  const inFlight = a.granted - a.answered;
  if (isTroubled(a)) return inFlight <= 0;
  if (!a.known) return inFlight < PROBES;
  const { requests, input, output } = a.buckets;
  // A call with more tokens than the bucket holds would never go, so it goes when the bucket is full.
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
