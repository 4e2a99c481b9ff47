/** The waterfall in one sentence: "4.2 s: 3.1 s generating, 0.9 s waiting for a rate limit". */
import { duration } from "../ui/format.ts";
import type { Segment, SegmentKind, Waterfall } from "./waterfall.ts";

const WORDS: Record<SegmentKind, string> = {
  queued: "in the queue",
  rate_limit: "waiting to try again",
  first_token: "waiting for the first token",
  thinking: "thinking",
  generating: "generating",
  compacting: "shortening the conversation",
  tool: "in tools",
  parked: "parked",
};

/** A stretch shorter than this share of the whole explains nothing. */
const WORTH_SAYING = 0.02;

export function whySlow(waterfall: Waterfall, now: number): string {
  const totalMs = waterfall.totalMs(now);
  const sums = Object.entries(waterfall.sums(now)) as [SegmentKind, number][];
  const accountedMs = sums.reduce((sum, [, ms]) => sum + ms, 0);
  const parts = sums.map(([kind, ms]) => ({ ms, text: wordsFor(kind, waterfall) }));
  parts.push({ ms: Math.max(0, totalMs - accountedMs), text: "between steps" });
  const said = parts
    .filter(({ ms }) => ms > 0 && ms >= totalMs * WORTH_SAYING)
    .toSorted((a, b) => b.ms - a.ms)
    .map(({ ms, text }) => `${duration(ms)} ${text}`);
  return [duration(totalMs), said.join(", ")].filter(Boolean).join(": ");
}

function wordsFor(kind: SegmentKind, { segments, voidMs }: Waterfall): string {
  if (kind === "generating" && voidMs > 0) return `generating (${duration(voidMs)} of it for nothing)`;
  if (kind !== "rate_limit" && kind !== "parked") return WORDS[kind];
  const waits = segments.filter((segment) => segment.kind === kind);
  if (waits.every(({ isDelegated }) => isDelegated)) return "parked for delegated runs";
  if (kind === "parked") return WORDS[kind];
  if (waits.every(isRateLimit)) return "waiting for a rate limit";
  return waits.every(isOverload) ? "waiting for an overloaded model" : WORDS[kind];
}

function isRateLimit({ reason }: Segment): boolean {
  return /\b429\b|rate.?limit/i.test(reason ?? "");
}

function isOverload({ reason }: Segment): boolean {
  return /\b529\b|overloaded/i.test(reason ?? "");
}
