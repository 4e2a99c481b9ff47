/**
 * How many processes of a kind the load wants, and the advice to people whose settings say otherwise. Pure: `Size`
 * measures and remembers, the supervisor forks and drains.
 *
 * Busy is the share of time in which event loops worked. Above GROW_PERCENT a kind grows to where it would be AIM_PERCENT
 * busy; it shrinks by one when those that are left would still be below SHRINK_PERCENT. The gap between the two is what
 * keeps a steady load from going back and forth: after growing nobody is below SHRINK_PERCENT, after shrinking nobody is
 * above GROW_PERCENT.
 *
 * An event loop that waits for a core counts as busy, too, and one more process would only wait beside it. So growing goes
 * by the work: the part of the busy time in which there was a core. [On 2 cores, beside two workers that were asked as much as
 * they could answer, an agent was 84 % busy and worked for 13 %; a second agent made everything slower.]
 */
import type { ChildKind, Vitals } from "./protocol.ts";

const GROW_PERCENT = 75;
const AIM_PERCENT = 55;
const SHRINK_PERCENT = 40;
/** A kind that is less busy than this counts as idle. */
const IDLE_PERCENT = 1;

export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** Means over all processes of a kind. */
export interface Busy {
  /** The share of time in which event loops worked, or waited for a core to work on. */
  readonly busyPercent: number;
  /** The share of time in which they worked. */
  readonly workPercent: number;
}

/** @returns undefined for no process */
export function busyOf(processes: readonly Pick<Vitals, "busy_percent" | "cpu_granted_percent">[]): Busy | undefined {
  if (processes.length === 0) return undefined;
  const works = processes.map(({ busy_percent: busy, cpu_granted_percent: granted }) => (busy * granted) / 100);
  return { busyPercent: meanOf(processes.map(({ busy_percent: busy }) => busy)), workPercent: meanOf(works) };
}

export function meanOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

export interface Load {
  readonly kind: ChildKind;
  readonly count: number;
  /** Over a time that is long enough; undefined before that has passed. */
  readonly busy: Busy | undefined;
  readonly bounds: Bounds;
}

export interface Change {
  readonly count: number;
  readonly reason: string;
}

/** @returns undefined when nothing should change */
export function wantedChange({ kind, count, busy, bounds }: Load): Change | undefined {
  const { min, max } = bounds;
  if (count < min) return { count: min, reason: `${min} is the least` };
  if (count > max) return { count: max, reason: `${max} is the most` };
  if (busy === undefined) return undefined;
  const { busyPercent, workPercent } = busy;
  const reason = `${kind}s ${shown(busyPercent)} busy`;
  if (workPercent >= GROW_PERCENT && count < max)
    return { count: Math.min(max, enoughFor(count, workPercent)), reason };
  if (count > min && sharedBy(count - 1, count, busyPercent) < SHRINK_PERCENT) return { count: count - 1, reason };
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

/** WORKERS=auto and AGENTS=auto. */
export function autoCount(kind: ChildKind, cores: number): number {
  return Math.max(LEAST[kind], cores);
}

/** What the settings should say, where they do not let `wantedChange` do it. @param minutes over which the load was measured */
export function adviceFor(load: Load, { cores, minutes }: { cores: number; minutes: number }): Advice | undefined {
  const { kind, count, busy, bounds } = load;
  if (busy === undefined) return undefined;
  const { busyPercent } = busy;
  const begin = `${kind}s ${shown(busyPercent)} busy for ${minutes} min`;
  if (busyPercent >= GROW_PERCENT && count >= bounds.max) return adviceToGrow({ kind, count, busy, begin, cores });
  const fewer = Math.max(LEAST[kind], enoughFor(count, busyPercent));
  const then = sharedBy(fewer, count, busyPercent);
  if (fewer >= count || count > bounds.min || then >= SHRINK_PERCENT) return undefined;
  const enough = `${fewer} ${fewer === 1 ? "is" : "are"} enough`;
  if (busyPercent < IDLE_PERCENT) return { kind, count: fewer, text: `${kind}s idle: ${enough}` };
  return { kind, count: fewer, text: `${begin}: ${enough} (${shown(then)})` };
}

interface Grown {
  readonly kind: ChildKind;
  readonly count: number;
  readonly busy: Busy;
  readonly begin: string;
  readonly cores: number;
}

function adviceToGrow({ kind, count, busy: { workPercent }, begin, cores }: Grown): Advice {
  // Busy processes beyond the cores only wait for each other. [8 workers on 2 cores answered a quarter less than 2.]
  const most = autoCount(kind, cores);
  const there = cores === 1 ? "there is 1 core" : `there are ${cores} cores`;
  if (count > most) return { kind, count: most, text: `${begin}: ${there}, ${most} would do as much` };
  if (count >= cores) return { kind, count, text: `${begin}: ${there}, more processes would not help` };
  if (workPercent < GROW_PERCENT)
    return { kind, count, text: `${begin}, on a core for ${shown(workPercent)}: more processes would not help` };
  const enough = Math.min(enoughFor(count, workPercent), most);
  return { kind, count: enough, text: `${begin}: ${enough} would be ${shown(sharedBy(enough, count, workPercent))}` };
}

function enoughFor(count: number, percent: number): number {
  return Math.max(1, Math.ceil((count * percent) / AIM_PERCENT));
}

/** How busy each of `next` processes would be with the load that `count` processes have now. */
function sharedBy(next: number, count: number, percent: number): number {
  return (count * percent) / next;
}

function shown(percent: number): string {
  return `${Math.round(percent)} %`;
}
