/**
 * The process tree: starts every slot, replaces what dies or hangs, rolls out new code, and shows it all
 * in one snapshot a second. Owned by the primary. Knows processes, not runs.
 */
import { NO_VITALS, type Child } from "./child.ts";
import { History } from "./history.ts";
import {
  HEARTBEAT_MS,
  type ChildKind,
  type Gauges,
  type ProcessInfo,
  type ProcessNotes,
  type Vitals,
} from "./protocol.ts";
import { reasonOf, Slot, type Death } from "./slot.ts";
import { VitalsMeter } from "./vitals.ts";

// With the backoff, four tries take about two seconds plus their boots.
const MAX_BOOT_FAILURES = 4;
// What changes within this time is one snapshot: many processes that boot at once are not as many snapshots.
const GATHER_MS = 50;

export interface RoleOptions {
  readonly kind: ChildKind;
  readonly count: number;
  readonly fork: (id: number) => Child;
}

interface Place {
  readonly kind: ChildKind;
  readonly id: number;
}

export interface SupervisorOptions {
  readonly stallMs: number;
  /** How long a child may take to finish when the server stops. */
  readonly drainMs: number;
  /** How long a child that was replaced may take to finish, while its successor serves. */
  readonly leaveMs: (kind: ChildKind) => number;
  /** The primary's own figures, read once a second. */
  readonly gauges: () => Gauges;
  readonly onDeath: (death: Death & Place) => void;
  /** The next one after a death serves. */
  readonly onReturn: (child: Place & { readonly pid: number }) => void;
  /** A child has booted for `waitedMs` and is not ready. */
  readonly onSlow: (child: Place & { readonly pid: number; readonly waitedMs: number }) => void;
  /** The tree cannot work: one of its processes never came up, or said that no restart can help. */
  readonly onHopeless: (reason: string) => void;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #meter = new VitalsMeter();
  readonly #startedAt = performance.now();
  readonly #slots: Slot[] = [];
  readonly #history = new History();
  /** Slots that the last tick found stalled. */
  readonly #stalled = new Set<Slot>();
  readonly #ticker: NodeJS.Timeout;
  #tickedAt = performance.now();
  #seq = 0;
  #gathering: NodeJS.Timeout | undefined;
  #self: Vitals & { readonly gauges: Gauges } = { ...NO_VITALS, gauges: {} };
  #replacing: Promise<void> = Promise.resolve();
  #queued: Promise<void> | undefined;
  #isDraining = false;
  #noted: readonly ProcessNotes[] = [];
  /** The workers that have `#noted`. */
  #knowNotes = new WeakSet<Child>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#ticker = setInterval(() => this.#tick(), HEARTBEAT_MS);
  }

  /** Forks `count` children of a kind and waits until each is ready. Resolves with their ports. */
  async start({ kind, count, fork }: RoleOptions): Promise<(number | undefined)[]> {
    const { stallMs, onReturn, onSlow, onHopeless } = this.#options;
    const slots = Array.from({ length: count }, (_, index) => {
      const id = index + 1;
      return new Slot({
        kind,
        id,
        stallMs,
        maxBootFailures: MAX_BOOT_FAILURES,
        fork: () => this.#connect(kind, fork(id)),
        onDeath: (_slot, death) => this.#onDeath({ kind, id, ...death }),
        onReturn: (_slot, pid) => onReturn({ kind, id, pid }),
        onSlow: (_slot, slow) => onSlow({ kind, id, ...slow }),
        onChange: () => this.#shareSoon(),
        onHopeless: (_slot, reason) => onHopeless(`${kind} ${id} does not start: ${reason}`),
      });
    });
    this.#slots.push(...slots);
    const ports = await Promise.all(slots.map((slot) => slot.start()));
    this.#share();
    return ports;
  }

  /**
   * New children for all of `kinds`, in this order; the old ones of a kind drain once its new ones are ready.
   * Resolves when the new ones serve. Rejects, with the old ones still serving, when a new one does not come up.
   * One replacement at a time; a call that comes while one waits for its turn is part of that one.
   */
  replace(kinds: readonly ChildKind[]): Promise<void> {
    this.#queued ??= this.#replacing.then(() => {
      this.#queued = undefined;
      return this.#replaceNow(kinds);
    });
    this.#replacing = this.#queued.catch(() => {});
    return this.#queued;
  }

  /** Phase by phase: the kinds that serve users first, then those that they need. Ends the supervisor. */
  async drain(phases: readonly (readonly ChildKind[])[]): Promise<void> {
    this.#isDraining = true;
    for (const slot of this.#slots) slot.retire();
    for (const kinds of phases) {
      // Nothing new is prepared from here on, and what a replacement has just put on its way out drains too.
      await this.#replacing;
      await Promise.all(this.#of(...kinds).map((slot) => slot.drain(this.#options.drainMs)));
    }
    this.stop();
  }

  /** Ends the supervisor's own timers. */
  stop(): void {
    clearInterval(this.#ticker);
    clearTimeout(this.#gathering);
    this.#meter.stop();
  }

  /** All children at once, and nothing is restarted. */
  kill(): void {
    for (const slot of this.#slots) slot.kill();
  }

  /** Kind after kind: the old ones of the first have stopped taking work before the next can hand them any. */
  async #replaceNow(kinds: readonly ChildKind[]): Promise<void> {
    for (const kind of kinds) await this.#replaceKind(kind);
    this.#history.mark({ type: "reload", process: null, detail: `new ${kinds.join("s and ")}s serve` });
  }

  async #replaceKind(kind: ChildKind): Promise<void> {
    const results = await Promise.allSettled(this.#of(kind).map((slot) => slot.prepare()));
    const ready = results.filter((result) => result.status === "fulfilled").map((result) => result.value);
    const failed = results.find((result) => result.status === "rejected");
    if (failed || this.#isDraining) {
      for (const next of ready) next.kill();
      throw failed ? failed.reason : new Error("the server is draining");
    }
    for (const next of ready) void next.commit(this.#options.leaveMs(kind));
  }

  /**
   * A worker answers for all processes and for their past. Only workers may ask: whatever runs in an agent, a tool
   * included, can write into its channel.
   */
  #connect(kind: ChildKind, child: Child): Child {
    if (kind !== "worker") return child;
    child.onRequest = (request) => {
      for (const slot of this.#of(request.to)) slot.child?.send({ type: "request", request });
    };
    child.ready.then(
      () => child.send({ type: "history", snapshots: this.#history.snapshots }),
      () => {},
    );
    return child;
  }

  #onDeath(death: Death & Place): void {
    const { kind, id, exit, verdict } = death;
    this.#history.mark({ type: "death", process: `${kind} ${id}`, detail: `${verdict} (${reasonOf(exit)})` });
    this.#options.onDeath(death);
  }

  #tick(): void {
    const now = performance.now();
    // If it was us who slept (a suspended machine, SIGSTOP), nobody could be heard: that proves nothing.
    const weSlept = now - this.#tickedAt > 2 * HEARTBEAT_MS;
    this.#tickedAt = now;
    for (const slot of this.#slots) {
      if (weSlept) slot.forgiveSilence();
      else slot.checkPulse();
      this.#markStall(slot);
    }
    // Once a second only: vitals are what happened since they were read last.
    this.#self = { ...this.#meter.read(0), gauges: this.#options.gauges() };
    this.#share();
  }

  #markStall(slot: Slot): void {
    const isStalled = slot.info().state === "stalled";
    if (isStalled && !this.#stalled.has(slot)) {
      const detail = "its event loop is blocked, or it was stopped";
      this.#history.mark({ type: "stall", process: `${slot.kind} ${slot.id}`, detail });
    }
    if (isStalled) this.#stalled.add(slot);
    else this.#stalled.delete(slot);
  }

  #share(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.#seq += 1;
    const processes = [this.#info(), ...this.#slots.map((slot) => slot.info())];
    const snapshot = this.#history.add({ seq: this.#seq, at: Date.now(), processes });
    const workers = this.#of("worker").flatMap(({ child }) => (child?.state === "ready" ? [child] : []));
    for (const worker of workers) worker.send({ type: "snapshot", snapshot });
    this.#shareNotes(workers);
  }

  /** To each worker once after every change: notes are larger than a snapshot, and change less often. */
  #shareNotes(workers: readonly Child[]): void {
    const noted = this.#slots.filter(({ child }) => child?.notes !== undefined);
    const processes = noted.map(({ kind, id, child }) => ({ kind, id, notes: child?.notes ?? {} }));
    const isSame = ({ notes }: ProcessNotes, at: number) => notes === this.#noted[at]?.notes;
    if (processes.length !== this.#noted.length || !processes.every(isSame)) {
      this.#noted = processes;
      this.#knowNotes = new WeakSet();
    }
    for (const worker of workers) {
      if (this.#knowNotes.has(worker)) continue;
      this.#knowNotes.add(worker);
      worker.send({ type: "notes", processes });
    }
  }

  #shareSoon(): void {
    this.#gathering ??= setTimeout(() => this.#share(), GATHER_MS);
  }

  #info(): ProcessInfo {
    return {
      kind: "primary",
      id: 1,
      pid: process.pid,
      state: "ready",
      uptime_s: Math.round((performance.now() - this.#startedAt) / 1000),
      ...this.#self,
      restarts: 0,
      last_exit: null,
      leaving: 0,
    };
  }

  #of(...kinds: readonly ChildKind[]): Slot[] {
    return this.#slots.filter((slot) => kinds.includes(slot.kind));
  }
}
