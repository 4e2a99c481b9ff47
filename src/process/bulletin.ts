/**
 * What the primary sends its workers about all processes, so that each worker can answer for the whole tree:
 * a snapshot a second, the past of the last five minutes, and the notes of processes. Owned by the
 * supervisor.
 */
import type { Child } from "./child.ts";
import { History } from "./history.ts";
import { reportOf, showMachines, type OtherMachine, type Own, type OwnMachine } from "./machines.ts";
import type { OwnAdvice, OwnMark, OwnProcess, ProcessNotes, Snapshot } from "./protocol.ts";

// Changes within this time share one snapshot: many processes that boot at once must not make as many snapshots.
const GATHER_MS = 50;

export interface BulletinSource {
  readonly machine: OwnMachine;
  /** The other machines on the same storage, as they reported last. */
  readonly others: () => readonly OtherMachine[];
  readonly processes: () => readonly OwnProcess[];
  readonly notes: () => readonly ProcessNotes[];
  readonly advice: () => readonly OwnAdvice[];
  /** The workers that are ready. */
  readonly workers: () => readonly Child[];
}

export class Bulletin {
  readonly #source: BulletinSource;
  readonly #history = new History();
  #seq = 0;
  #gathering: NodeJS.Timeout | undefined;
  #noted: readonly ProcessNotes[] = [];
  /** The workers that have `#noted`. */
  #knowNotes = new WeakSet<Child>();

  constructor(source: BulletinSource) {
    this.#source = source;
  }

  /** Adds to the marks of every snapshot of the next five minutes, and shares one soon. */
  mark(mark: Pick<OwnMark, "type" | "process" | "detail">): void {
    this.#history.mark(mark);
    this.shareSoon();
  }

  /** For a worker that has just become ready: the past up to now, so that its first answer is not out of date. */
  greet(worker: Child): void {
    const snapshot = this.#takeSnapshot();
    worker.send({ type: "history", snapshots: this.#history.snapshots });
    for (const other of this.#source.workers()) if (other !== worker) other.send({ type: "snapshot", snapshot });
  }

  share(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    const snapshot = this.#takeSnapshot();
    for (const worker of this.#source.workers()) worker.send({ type: "snapshot", snapshot });
    this.#shareNotes();
  }

  shareSoon(): void {
    this.#gathering ??= setTimeout(() => this.share(), GATHER_MS);
  }

  /** What the other machines are told of this one. */
  report(): string {
    return reportOf(this.#own());
  }

  stop(): void {
    clearTimeout(this.#gathering);
  }

  #takeSnapshot(): Snapshot {
    this.#seq += 1;
    const own = this.#own();
    const all = { ...own, others: this.#source.others(), now: performance.now() };
    const snapshot = { seq: this.#seq, at: own.at, ...showMachines(all) };
    this.#history.add(snapshot);
    return snapshot;
  }

  #own(): Own {
    const { machine: own, processes, advice } = this.#source;
    const at = Date.now();
    return { own, processes: processes(), advice: advice(), marks: this.#history.marks(at), at };
  }

  /** To each worker once after every change: notes are larger than a snapshot, and change less often. */
  #shareNotes(): void {
    const processes = this.#source.notes();
    const isSame = ({ notes }: ProcessNotes, at: number) => notes === this.#noted[at]?.notes;
    if (processes.length !== this.#noted.length || !processes.every(isSame)) {
      this.#noted = processes;
      this.#knowNotes = new WeakSet();
    }
    for (const worker of this.#source.workers()) {
      if (this.#knowNotes.has(worker)) continue;
      this.#knowNotes.add(worker);
      worker.send({ type: "notes", processes });
    }
  }
}
