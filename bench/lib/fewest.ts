/**
 * The fewest workers and agents that serve a load as well as any number does. Pure. Used by `tune.ts`.
 *
 * Two windows of the same server differ by more than the tolerances below, so no conclusion is drawn from one window:
 * every pair of counts is tried once a round, and a pair is worse only when it was worse in each round.
 */
import { LEAST } from "../../src/process/scale.ts";
import type { BusyByKind, Counts } from "./live-advice.ts";
import { median } from "./stats.ts";

export const ENOUGH = { throughput: 0.95, latency: { factor: 1.5, ms: 2 } } as const;

/** A figure that the load does not have is NaN. */
export interface Window {
  readonly answersPerSecond: number;
  readonly tokensPerSecond: number;
  readonly p99: number;
  readonly megabytes: number;
  readonly busy: BusyByKind;
}

export interface Trial extends Counts {
  /** One a round. */
  readonly windows: readonly Window[];
}

interface Figure {
  readonly of: (window: Window) => number;
  /** Sorts better figures before worse ones. */
  readonly order: (one: number, other: number) => number;
  readonly isWorse: (own: number, best: number) => boolean;
}

const more = (one: number, other: number) => other - one;
const isLess = (own: number, best: number) => own < best * ENOUGH.throughput;
const { factor, ms } = ENOUGH.latency;
const FIGURES: readonly Figure[] = [
  { of: ({ answersPerSecond }) => answersPerSecond, order: more, isWorse: isLess },
  { of: ({ tokensPerSecond }) => tokensPerSecond, order: more, isWorse: isLess },
  {
    of: ({ p99 }) => p99,
    order: (one, other) => one - other,
    isWorse: (own, best) => own > Math.max(best * factor, best + ms),
  },
];

export function middle({ windows }: Trial, of: (window: Window) => number): number {
  return median(windows.map(of));
}

/** @throws Error when every trial has fewer processes than the live advice ever asks for */
export function fewest(trials: readonly Trial[]): { readonly trial: Trial; readonly isEnough: boolean } {
  // One process can be replaced while another serves.
  const allowed = trials.filter(({ workers, agents }) => workers >= LEAST.worker && agents >= LEAST.agent);
  const smallestFirst = allowed.toSorted((a, b) => a.workers + a.agents - (b.workers + b.agents));
  const rivals = FIGURES.flatMap((figure) => {
    const best = allowed.toSorted((a, b) => figure.order(middle(a, figure.of), middle(b, figure.of)))[0];
    return best ? [{ figure, best }] : [];
  });
  const enough = smallestFirst.find((trial) => rivals.every(({ figure, best }) => !isWorse(trial, best, figure)));
  // No pair was near the best in everything: the one that answers soonest.
  const trial = enough ?? rivals.at(-1)?.best;
  if (!trial) throw new Error("Expected a trial with enough processes.");
  return { trial, isEnough: enough !== undefined };
}

/** No comparison with NaN is true, so a figure that the load does not have never makes a pair worse. */
function isWorse(own: Trial, best: Trial, { of, isWorse: isWorseIn }: Figure): boolean {
  return own.windows.every((window, round) => {
    const rival = best.windows[round];
    return rival !== undefined && isWorseIn(of(window), of(rival));
  });
}
