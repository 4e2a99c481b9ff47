/**
 * How many processes of a kind the load wants, and the advice to people whose settings say otherwise. Pure: `Size`
 * measures and remembers, the supervisor forks and drains.
 *
 * Busy is the share of time in which event loops worked. Above GROW_PERCENT a kind grows to where it would be AIM_PERCENT
 * busy; it shrinks by one when those that are left would still be below SHRINK_PERCENT. The gap between the two is what
 * keeps a steady load from going back and forth: after growing nobody is below SHRINK_PERCENT, after shrinking nobody is
 * above GROW_PERCENT.
 */
import type { ChildKind } from "./protocol.ts";

const GROW_PERCENT = 75;
const AIM_PERCENT = 55;
const SHRINK_PERCENT = 40;
/** A kind that is less busy than this counts as idle. */
const IDLE_PERCENT = 1;

export interface Bounds {
  readonly min: number;
  readonly max: number;
}

export interface Load {
  readonly kind: ChildKind;
  readonly count: number;
  /** Mean over all processes of the kind and a time that is long enough; undefined before that has passed. */
  readonly busyPercent: number | undefined;
  readonly bounds: Bounds;
}

export interface Change {
  readonly count: number;
  readonly reason: string;
}

/** @returns undefined when nothing should change */
export function wantedChange({ kind, count, busyPercent, bounds }: Load): Change | undefined {
  const { min, max } = bounds;
  if (count < min) return { count: min, reason: `${min} is the least` };
  if (count > max) return { count: max, reason: `${max} is the most` };
  if (busyPercent === undefined) return undefined;
  const reason = `${kind}s ${shown(busyPercent)} busy`;
  if (busyPercent >= GROW_PERCENT && count < max)
    return { count: Math.min(max, enoughFor(count, busyPercent)), reason };
  if (count > min && busyOf(count - 1, count, busyPercent) < SHRINK_PERCENT) return { count: count - 1, reason };
  return undefined;
}

export interface Advice {
  readonly kind: ChildKind;
  /** The number of processes that would be enough. */
  readonly count: number;
  readonly text: string;
}

/** One worker can be replaced while another serves. */
export const LEAST: Readonly<Record<ChildKind, number>> = { worker: 2, agent: 1, simulator: 1 };

/** What the settings should say, where they do not let `wantedChange` do it. @param minutes over which the load was measured */
export function adviceFor(load: Load, { cores, minutes }: { cores: number; minutes: number }): Advice | undefined {
  const { kind, count, busyPercent, bounds } = load;
  if (busyPercent === undefined) return undefined;
  const begin = `${kind}s ${shown(busyPercent)} busy for ${minutes} min`;
  if (busyPercent >= GROW_PERCENT && count >= bounds.max) {
    // Busy processes beyond the cores only wait for each other. [8 workers on 2 cores answered a quarter less than 2.]
    const most = Math.max(LEAST[kind], cores);
    const there = cores === 1 ? "there is 1 core" : `there are ${cores} cores`;
    if (count > most) return { kind, count: most, text: `${begin}: ${there}, ${most} would do as much` };
    if (count >= cores) return { kind, count, text: `${begin}: ${there}, more processes would not help` };
    const enough = Math.min(enoughFor(count, busyPercent), most);
    const then = shown(busyOf(enough, count, busyPercent));
    return { kind, count: enough, text: `${begin}: ${enough} would be ${then}` };
  }
  const fewer = Math.max(LEAST[kind], enoughFor(count, busyPercent));
  const then = busyOf(fewer, count, busyPercent);
  if (fewer >= count || count > bounds.min || then >= SHRINK_PERCENT) return undefined;
  const enough = `${fewer} ${fewer === 1 ? "is" : "are"} enough`;
  if (busyPercent < IDLE_PERCENT) return { kind, count: fewer, text: `${kind}s idle: ${enough}` };
  return { kind, count: fewer, text: `${begin}: ${enough} (${shown(then)})` };
}

function enoughFor(count: number, busyPercent: number): number {
  return Math.max(1, Math.ceil((count * busyPercent) / AIM_PERCENT));
}

/** How busy `next` processes would be with the load that `count` processes have now. */
function busyOf(next: number, count: number, busyPercent: number): number {
  return (count * busyPercent) / next;
}

function shown(percent: number): string {
  return `${Math.round(percent)} %`;
}
