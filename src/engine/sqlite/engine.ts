/**
 * The SQLite driver: one file, WAL mode, shared by every process of the machine. This class only says
 * which connection does what: writes go through the group commit, reads and followers use their own. It is long
 * because the interface is: a method has one to five lines here.
 */
import type { DatabaseSync } from "node:sqlite";
import type { NewActivity } from "../../core/activity.ts";
import type { NewRun, Outcome, Owner, RetryRequest } from "../../core/run.ts";
import type {
  ActivityFilter,
  Engine,
  EngineLimits,
  EventPage,
  Left,
  MessagePage,
  AttributedActivity,
  RunOrThread,
  OwnerSignals,
  Reservation,
  RunFilter,
  RunListener,
  SpendingFilter,
  Step,
  ThreadFilter,
} from "../engine.ts";
import { Admission, type AdmissionReads } from "../admission.ts";
import { oncePerTick } from "../once-per-tick.ts";
import type { Retention } from "../../core/retention.ts";
import type { OwnerEnd } from "../rules/blame.ts";
import type { DumpPosition, ThreadDump } from "../rules/dump.ts";
import { RunClock } from "./clock.ts";
import { inStorageTerms, storageError } from "./connection.ts";
import { Disk } from "./disk.ts";
import { Dumps } from "./dump.ts";
import { SqliteFiles } from "./files.ts";
import { Followers } from "./followers.ts";
import { Journal } from "./journal.ts";
import { Queue } from "./queue.ts";
import { Reads } from "./reads.ts";
import { Removals } from "./removal.ts";
import { ownerKey } from "../rules/rows.ts";
import { readSpending, SpendingBook } from "./spending.ts";
import { SharedTexts } from "./shared.ts";
import { Maintenance } from "./maintenance.ts";
import { Writer } from "./writer.ts";

/** A check this soon after a write need not write. */
const CHECKED_MS = 1_000;

export interface SqliteConnections {
  readonly path: string;
  readonly writing: DatabaseSync;
  readonly reading: DatabaseSync;
}

export class SqliteEngine implements Engine {
  readonly driver = "sqlite";
  readonly files: SqliteFiles;
  readonly lastActivity: () => Promise<number>;
  readonly #connections: SqliteConnections;
  readonly #disk: Disk;
  readonly #writer: Writer;
  readonly #journal: Journal;
  readonly #queue: Queue;
  readonly #reads: Reads;
  readonly #admission: Admission;
  readonly #followers: Followers;
  readonly #removals: Removals;
  readonly #maintenance: Maintenance;
  readonly #shared: SharedTexts;
  readonly #spending: SpendingBook;
  readonly #runClock: RunClock;

  constructor(connections: SqliteConnections, limits: EngineLimits) {
    const { writing, reading, path } = connections;
    this.#connections = connections;
    this.#disk = new Disk(path);
    this.#writer = new Writer(writing, this.#disk);
    this.files = new SqliteFiles({ connections, writer: this.#writer, disk: this.#disk });
    this.#spending = new SpendingBook(writing);
    this.#runClock = new RunClock(writing);
    this.#journal = new Journal(writing, this.#spending);
    this.#queue = new Queue(writing, this.#journal, limits);
    this.#reads = new Reads(reading);
    this.#admission = new Admission(this.#admissionReads(), limits.queued);
    this.lastActivity = oncePerTick(() => this.#read(() => this.#reads.lastActivity()));
    this.#followers = new Followers(reading, `${path}-wal`);
    this.#removals = new Removals(writing, this.#journal);
    const parts = {
      connections,
      disk: this.#disk,
      writer: this.#writer,
      files: this.files,
      reads: this.#reads,
      removals: this.#removals,
      queue: this.#queue,
    };
    this.#maintenance = new Maintenance(parts);
    this.#shared = new SharedTexts(connections);
  }

  get identity(): string {
    return this.#disk.identity;
  }

  enqueue(run: NewRun) {
    return this.#admission.admit(run, () => this.#add(() => this.#queue.enqueue(run)));
  }

  cancel(runId: string) {
    return this.#writer.run(() => this.#queue.cancel(runId));
  }

  retry(request: RetryRequest) {
    return this.#add(() => this.#queue.retry(request));
  }

  post(activity: NewActivity) {
    return this.#add(() => this.#journal.insertActivity(activity, {}));
  }

  async deleteThread(threadId: string) {
    const isMarked = await this.#writer.run(() => this.#removals.mark({ threadId, isAsked: true }, Date.now()));
    if (isMarked) while (await this.#writer.run(() => this.#removals.removeRuns())) continue;
    return isMarked;
  }

  async claim(request: { owner: Owner; limit: number; leaseMs: number }) {
    // Look before claiming: the look is a read, and only a claim costs the write lock.
    if (!(await this.#read(() => this.#reads.claimable()))) return [];
    return this.#writer.run(() => this.#queue.claim(request));
  }

  extend(request: { owner: Owner; runIds: readonly string[]; leaseMs: number }) {
    return this.#writer.run(() => this.#queue.extend(request));
  }

  append(step: Step) {
    return this.#writer.run(() => {
      const { cancel_requested: requested } = this.#journal.writeStep(step);
      return { cancelRequested: requested === 1 };
    });
  }

  settle(step: Step, outcome: Outcome) {
    return this.#writer.run(() => this.#queue.end(this.#journal.writeStep(step), outcome));
  }

  release(left: Left, end: OwnerEnd) {
    return this.#writer.run(() => {
      if (!("owner" in left)) this.#runClock.begin();
      return this.#queue.release(left, end);
    });
  }

  history(runId: string) {
    return this.#read(() => this.#reads.history(runId));
  }

  toolCalls(runId: string) {
    return this.#read(() => this.#reads.toolCalls(runId));
  }

  run(runId: string) {
    return this.#read(() => this.#reads.run(runId));
  }

  runs(filter: RunFilter) {
    return this.#read(() => this.#reads.runs(filter));
  }

  events(runId: string, after: number, page: EventPage) {
    return this.#read(() => this.#reads.events(runId, after, page));
  }

  lastEvent(runId: string) {
    return this.#read(() => this.#reads.lastEvent(runId));
  }

  activities(filter: ActivityFilter) {
    return this.#read(() => this.#reads.activities(filter));
  }

  activitiesAfter(after: number, limit: number, principal?: string) {
    return this.#read(() => this.#reads.activitiesAfter(after, limit, principal));
  }

  countActivities(after: number) {
    return this.#read(() => this.#reads.countActivities(after));
  }

  threads(filter: ThreadFilter) {
    return this.#read(() => this.#reads.threads(filter));
  }

  principalOf(of: RunOrThread) {
    return this.#read(() => this.#reads.principalOf(of));
  }

  thread(threadId: string) {
    return this.#read(() => this.#reads.thread(threadId));
  }

  messages(threadId: string, page: MessagePage) {
    return this.#read(() => this.#reads.messages(threadId, page));
  }

  counts() {
    return this.#read(() => this.#reads.counts());
  }

  reserve(reservation: Reservation) {
    return this.#writer.run(() => this.#spending.reserve(reservation));
  }

  spending(filter: SpendingFilter) {
    return this.#read(() => readSpending(this.#connections.reading, filter));
  }

  shared(name: string) {
    return this.#read(() => this.#shared.read(name));
  }

  share(name: string, text: string, version: number) {
    return this.#writer.run(() => this.#shared.write(name, text, version));
  }

  /** Only one machine can open the file. */
  async exchangeReports(): Promise<[]> {
    return [];
  }

  watch(owner: Owner, signals: OwnerSignals) {
    return this.#read(() => this.#followers.owner(ownerKey(owner), signals));
  }

  follow(runId: string, listener: RunListener) {
    return this.#read(() => this.#followers.run(runId, listener));
  }

  followActivities(onActivities: (activities: readonly AttributedActivity[]) => void) {
    return this.#read(() => this.#followers.activities(onActivities));
  }

  maintain() {
    return this.#ofStorage(this.#maintenance.maintain());
  }

  retain(retention: Retention) {
    return this.#ofStorage(this.#maintenance.retain(retention));
  }

  exportThread(after: DumpPosition) {
    return this.#read(() => new Dumps(this.#connections).next(after));
  }

  importThread(dump: ThreadDump) {
    return this.#add(() => new Dumps(this.#connections).store(dump));
  }

  async close(): Promise<void> {
    this.#followers.stop();
    await this.#writer.drain();
    for (const db of [this.#connections.reading, this.#connections.writing]) if (db.isOpen) db.close();
  }

  async check() {
    await this.#read(() => this.#disk.assertSame());
    this.#disk.assertRoom();
    this.#writer.assertWhole();
    await this.counts();
    if (this.#writer.sinceCommitMs > CHECKED_MS) await this.#writer.run(() => this.#maintenance.probe());
  }

  /** Always null: the WAL file tells. */
  bus() {
    return null;
  }

  /**
   * Refuses writes that only add data while the disk is full: the rest is for cancels, deletions and runs under way.
   */
  #add<T>(write: () => T): Promise<T> {
    return this.#writer.run(() => {
      this.#disk.assertRoom();
      return write();
    });
  }

  async #ofStorage<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw storageError(error);
    }
  }

  /** Reads are synchronous and short; async keeps the interface the same for drivers that are not. */
  #admissionReads(): AdmissionReads {
    return {
      counts: () => this.counts(),
      ownQueued: (principal) => this.#read(() => this.#reads.ownQueued(principal)),
      isRepeat: (request) => this.#read(() => this.#reads.isRepeat(request)),
    };
  }

  async #read<T>(read: () => T): Promise<T> {
    return inStorageTerms(read);
  }
}
