/**
 * The last five minutes of all processes: snapshots in, series and marks out. Pure, so that it can be tested
 * without a page. One instance lives while the page is open (store/processes.ts); the overview reads it.
 */
import { HISTORY_MS } from "../../core/limits.ts";
import type { Mark as ServerMark, ProcessInfo, Snapshot } from "../../process/protocol.ts";

export type { ProcessInfo, Snapshot } from "../../process/protocol.ts";

export const KEPT_MS = HISTORY_MS;
/** Bound of the snapshots, which come once a second and at every change of a process. */
const MAX_SNAPSHOTS = 900;
/**
 * After this time without a snapshot a line breaks, because the values in between are unknown. Snapshots that the server
 * took and no longer has make no gap: with many processes it keeps fewer, further apart.
 */
const GAP_MS = 3_500;
/** Time over which a rate is measured: long enough not to flicker, and the same for tile and chart. */
const RATE_OVER_MS = 5_000;
/** Other machines tell their counts only every two seconds or more: in a shorter time there is one report more or less. */
const RATE_OF_MACHINES_OVER_MS = 10_000;
/** Snapshots at a change come close together; over a shorter time one sentence would look like a flood of tokens. */
const SHORTEST_MS = 500;

/** An event at one moment. The server sends it; only the page itself can see that the server was started anew. */
export interface Mark {
  readonly machine: string;
  /** Counts within its machine; below 0 for the marks that the page makes. */
  readonly id: number;
  /** Epoch ms. */
  readonly at: number;
  readonly type: ServerMark["type"] | "start";
  /** For example "agent 1"; null when it concerns all processes. */
  readonly process: string | null;
  readonly detail: string;
}

/** One value for each moment of `times()`. Null where nothing is known; the line breaks there. */
export type Series = (number | null)[];

/** One moment. No snapshot: a gap. */
interface Moment {
  readonly at: number;
  readonly snapshot: Snapshot | null;
}

export class History {
  #moments: Moment[] = [];
  /** Marks of earlier servers at this address, and the start of the present one. */
  #earlierMarks: readonly Mark[] = [];
  #latest: Snapshot | null = null;

  get latest(): Snapshot | null {
    return this.#latest;
  }

  /** The seq after which to resume; 0 when there is none. */
  get lastSeq(): number {
    return this.#latest?.seq ?? 0;
  }

  get rateOverMs(): number {
    return (this.#latest?.machines.length ?? 1) > 1 ? RATE_OF_MACHINES_OVER_MS : RATE_OVER_MS;
  }

  /** Oldest first. The newest snapshot has all marks of its server, whichever worker sent it. */
  get marks(): readonly Mark[] {
    return [...this.#earlierMarks, ...(this.#latest?.marks ?? [])];
  }

  /** Adds any number of snapshots; those that are already known are left out. */
  add(snapshot: Snapshot): void {
    const before = this.#latest;
    if (before && snapshot.at <= before.at) {
      // After a reconnect the same snapshot arrives again.
      if (snapshot.seq <= before.seq) return;
      // A newer snapshot with an older time: the server's clock was set back, and one axis cannot show both.
      this.#clear();
    }
    if (before && isGap(before, snapshot)) this.#moments.push({ at: before.at + 1, snapshot: null });
    if (this.#latest && serverStarted(this.#latest, snapshot)) this.#noteStart(snapshot);
    this.#moments.push({ at: snapshot.at, snapshot });
    this.#latest = snapshot;
    this.#forget(snapshot.at - KEPT_MS);
  }

  /** Epoch seconds, rising: the x axis of every series. */
  times(): number[] {
    return this.#moments.map(({ at }) => at / 1_000);
  }

  /** A series with one number of each snapshot. */
  series(read: (snapshot: Snapshot) => number | null): Series {
    return this.#moments.map(({ snapshot }) => snapshot && read(snapshot));
  }

  /**
   * How fast a counter grows per second, summed over some processes. It is measured over some seconds, because
   * processes report once a second at different moments, so that between two snapshots there may be no report or two.
   */
  rate(kind: ProcessInfo["kind"], gauge: string): Series {
    const steps = this.#moments.map((_, index) => this.#step(index, { kind, gauge }));
    return steps.map((_, end) => this.#rateAt(end, this.rateOverMs, (index) => steps[index] ?? null));
  }

  /** The last value of `rate`, over a given time, without the other values; null before there are two snapshots. */
  rateNow(kind: ProcessInfo["kind"], gauge: string, overMs: number): number | null {
    return this.#rateAt(this.#moments.length - 1, overMs, (index) => this.#step(index, { kind, gauge }));
  }

  /** How much the counter grew between a snapshot and the one before it. */
  #step(index: number, counter: Counter): number | null {
    const [before, snapshot] = [this.#moments[index - 1]?.snapshot, this.#moments[index]?.snapshot];
    return snapshot && before ? growth(before, snapshot, counter) : null;
  }

  #rateAt(end: number, overMs: number, stepOf: (index: number) => number | null): number | null {
    const until = this.#moments[end]?.at ?? 0;
    let [grown, since] = [0, until];
    for (let index = end; index > 0 && until - since < overMs; index -= 1) {
      const step = stepOf(index);
      if (step === null) break;
      grown += step;
      since = this.#moments[index - 1]?.at ?? since;
    }
    return until - since < SHORTEST_MS ? null : (grown / (until - since)) * 1_000;
  }

  /** The marks of the other machines come again from the server that answers now. */
  #noteStart({ at, machine, machines }: Snapshot): void {
    const isOther = (name: string) => name !== machine && machines.some((known) => known.machine === name);
    const detail = "the server was started anew";
    this.#earlierMarks = [
      ...this.marks.filter((mark) => !isOther(mark.machine)),
      { machine, id: -at, at, type: "start", process: "primary", detail },
    ];
  }

  #clear(): void {
    this.#moments = [];
    this.#earlierMarks = [];
    this.#latest = null;
  }

  #forget(before: number): void {
    const first = this.#moments.findIndex(({ at }) => at >= before);
    this.#moments.splice(0, Math.max(first, this.#moments.length - MAX_SNAPSHOTS, 0));
    this.#earlierMarks = this.#earlierMarks.filter(({ at }) => at >= before).slice(-MAX_SNAPSHOTS);
  }
}

function isGap(before: Snapshot, { at, seq, machine }: Snapshot): boolean {
  // Each machine counts its own snapshots.
  const taken = machine === before.machine ? Math.max(1, seq - before.seq) : 1;
  return (at - before.at) / taken > GAP_MS;
}

/**
 * A child sends its first figures a while after its start; until then they are zeros, which would look like an idle
 * child.
 */
export function isMeasured({ pid, rss_bytes: rssBytes }: ProcessInfo): boolean {
  return pid !== null && rssBytes > 0;
}

/** For example "worker 2"; a machine has one primary and one simulator. */
export function nameOf({ kind, id }: Pick<ProcessInfo, "kind" | "id">): string {
  return kind === "primary" || kind === "simulator" ? kind : `${kind} ${id}`;
}

/** For example "worker 2", and "web-1-k2f9 worker 2" where there are several machines. */
export function fullNameOf(process: ProcessInfo, { machines }: Pick<Snapshot, "machines">): string {
  return machines.length > 1 ? `${process.machine} ${nameOf(process)}` : nameOf(process);
}

type Place = Pick<ProcessInfo, "machine" | "kind" | "id">;

export function find(snapshot: Snapshot, { machine, kind, id }: Place): ProcessInfo | undefined {
  return snapshot.processes.find(
    (process) => process.machine === machine && process.kind === kind && process.id === id,
  );
}

/**
 * All values of a gauge; a process that does not have it (yet) gives none. What a primary counts is the same on all
 * machines, so only that of the machine that answers is taken.
 */
export function gauges(snapshot: Snapshot, kind: ProcessInfo["kind"], gauge: string): number[] {
  return snapshot.processes
    .filter((process) => process.kind === kind && (kind !== "primary" || process.machine === snapshot.machine))
    .map((process) => process.gauges[gauge])
    .filter((value) => value !== undefined);
}

/** @returns null when no process has it */
export function sumOf(snapshot: Snapshot, kind: ProcessInfo["kind"], gauge: string): number | null {
  const values = gauges(snapshot, kind, gauge);
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
}

/** @returns null when no process has it */
export function maxOf(snapshot: Snapshot, kind: ProcessInfo["kind"], gauge: string): number | null {
  const values = gauges(snapshot, kind, gauge);
  return values.length === 0 ? null : Math.max(...values);
}

interface Counter {
  readonly kind: ProcessInfo["kind"];
  readonly gauge: string;
}

function growth(before: Snapshot, snapshot: Snapshot, { kind, gauge }: Counter): number {
  const grown = snapshot.processes
    .filter((process) => process.kind === kind)
    .map((process) => {
      const now = process.gauges[gauge] ?? 0;
      const earlier = find(before, process);
      // The process of a machine that was not shown before, or one that has just begun.
      if (!earlier) return 0;
      // A new process counts from 0, so its whole count is new.
      if (earlier.pid !== process.pid) return now;
      // It falls when another machine answers, to which the process was reported earlier.
      return Math.max(0, now - (earlier.gauges[gauge] ?? now));
    });
  return grown.reduce((sum, value) => sum + value, 0);
}

/** A server that was started anew has another pid, and on a shared storage another machine's name. */
function serverStarted(before: Snapshot, snapshot: Snapshot): boolean {
  if (snapshot.machine !== before.machine) return !isLive(snapshot, before.machine);
  const primary = { machine: snapshot.machine, kind: "primary", id: 1 } as const;
  return find(before, primary)?.pid !== find(snapshot, primary)?.pid;
}

/** Then another machine answers from now on, and nothing was started. */
function isLive({ machines }: Snapshot, name: string): boolean {
  return machines.some(({ machine, state }) => machine === name && state === "live");
}
