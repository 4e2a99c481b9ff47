/** The content of the overview's tiles, computed from the newest snapshots. Pure. */
import { GAUGE, LATENCY, quantileGauge, samplesGauge } from "../../../core/gauges.ts";
import { count, percent } from "../../ui/format.ts";
import { type History, KEPT_MS, maxOf, type ProcessInfo, type Snapshot, sumOf } from "../../store/history.ts";

export type Tone = "ok" | "warn" | "bad" | "idle";

export interface ModelState {
  readonly word: "OK" | "Retrying" | "Rate-limited" | "Breaker open" | "Unknown";
  readonly tone: Tone;
  readonly detail: string;
}

/** Time over which model failures are counted. */
const FAILURES_OVER_MS = 60_000;
/** Answer times of /health that a person, and that a load balancer, would call slow. */
const SLOW_MS = 50;
const TOO_SLOW_MS = 250;

/** The gauge that a worker has for its /health. */
export const HEALTH_P99 = quantileGauge(LATENCY.health, "p99");

/** Fewer answers than this make no percentile, because the first answers of a fresh process are slow. */
const ENOUGH_SAMPLES = 20;

/** @param worker the worker whose `p99` this is */
export function healthTone(p99: number | null, worker: ProcessInfo | undefined): Tone {
  if (p99 === null || (worker?.gauges[samplesGauge(LATENCY.health)] ?? 0) < ENOUGH_SAMPLES) return "idle";
  if (p99 >= TOO_SLOW_MS) return "bad";
  return p99 >= SLOW_MS ? "warn" : "ok";
}

/** Which worker answers worst, for the words below the number. */
export function slowestWorker(snapshot: Snapshot): ProcessInfo | undefined {
  return snapshot.processes
    .filter(({ kind, gauges }) => kind === "worker" && gauges[HEALTH_P99] !== undefined)
    .toSorted((a, b) => (b.gauges[HEALTH_P99] ?? 0) - (a.gauges[HEALTH_P99] ?? 0))[0];
}

/** The newest value of the chart; null before there are two snapshots. */
export function tokensPerSecond(history: History): number | null {
  return history.rateNow("agent", GAUGE.outputTokens, history.rateOverMs);
}

/** In words, for the tile of the tokens. Counts all kept snapshots, because a single answer says little. */
export function tokensDetail(history: History): string {
  const input = history.rateNow("agent", GAUGE.inputTokens, KEPT_MS) ?? 0;
  const cached = history.rateNow("agent", GAUGE.cachedInputTokens, KEPT_MS) ?? 0;
  return input > 0 ? `written · ${percent((100 * cached) / input)} of input from cache` : "written, estimated";
}

/** The state of the model follows from the state of the agents' calls. */
export function modelState(history: History): ModelState {
  const snapshot = history.latest;
  const calls = snapshot && sumOf(snapshot, "agent", GAUGE.modelCalls);
  if (!snapshot || calls === null) return { word: "Unknown", tone: "idle", detail: "no agent has told yet" };
  const waiting = sumOf(snapshot, "agent", GAUGE.modelWaiting) ?? 0;
  if ((maxOf(snapshot, "agent", GAUGE.modelBreakerOpen) ?? 0) > 0) return breakerState(snapshot, waiting);
  if (waiting > 0) return waitingState(snapshot, waiting);
  const failures = failuresLately(history);
  const underWay = `${count(calls)} ${calls === 1 ? "call" : "calls"}`;
  return {
    word: "OK",
    tone: "ok",
    detail: failures > 0 ? `${underWay} · ${count(failures)} failed lately` : underWay,
  };
}

/**
 * Each agent process has a breaker for each model; the first breaker that tries again shows whether the model is back.
 */
function breakerState(snapshot: Snapshot, waiting: number): ModelState {
  const open = snapshot.processes.filter(({ kind, gauges: of }) => kind === "agent" && of[GAUGE.modelBreakerOpen]);
  const tryMs = Math.min(...open.map(({ gauges: of }) => of[GAUGE.modelBreakerMs] ?? 0));
  const next = tryMs > 0 ? `next try in ${count(Math.ceil(tryMs / 1_000))} s` : "trying again";
  const detail = waiting > 0 ? `${next} · ${waitWords(waiting)}` : next;
  return { word: "Breaker open", tone: "bad", detail };
}

function waitWords(waiting: number): string {
  return `${count(waiting)} ${waiting === 1 ? "waits" : "wait"}`;
}

function waitingState(snapshot: Snapshot, waiting: number): ModelState {
  const waitS = Math.ceil((maxOf(snapshot, "agent", GAUGE.modelWaitMs) ?? 0) / 1_000);
  const detail = `${waitWords(waiting)} · ${count(waitS)} s more`;
  const limited = (sumOf(snapshot, "agent", GAUGE.modelRateLimited) ?? 0) > 0;
  return limited ? { word: "Rate-limited", tone: "bad", detail } : { word: "Retrying", tone: "warn", detail };
}

function failuresLately(history: History): number {
  const perSecond = history.rateNow("agent", GAUGE.modelFailures, FAILURES_OVER_MS) ?? 0;
  const times = history.times();
  const seconds = Math.min(FAILURES_OVER_MS / 1_000, (times.at(-1) ?? 0) - (times[0] ?? 0));
  return Math.round(perSecond * seconds);
}
