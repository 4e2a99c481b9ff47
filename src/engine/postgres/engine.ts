/**
 * The Postgres driver: one database, shared by every process of every machine. This class only says which part does
 * what: steps go through the group commit, changes of the queue through units, and news of both over the bus. It is long
 * because the interface is: a method has one to five lines here.
 */
import type { NewActivity } from "../../core/activity.ts";
import type { Retention } from "../../core/retention.ts";
import type { NewRun, Outcome, Owner, RetryRequest } from "../../core/run.ts";
import type {
  ActivityFilter,
  AttributedActivity,
  Engine,
  EngineLimits,
  EventPage,
  Left,
  MessagePage,
  OwnerSignals,
  Reservation,
  RunFilter,
  RunListener,
  RunOrThread,
  SpendingFilter,
  Step,
  ThreadFilter,
} from "../engine.ts";
import type { Files } from "../files.ts";
import { Admission } from "../admission.ts";
import { oncePerTick } from "../once-per-tick.ts";
import type { OwnerEnd } from "../rules/blame.ts";
import type { DumpPosition, ThreadDump } from "../rules/dump.ts";
import { ownerKey } from "../rules/rows.ts";
import type { Bus, BusListener } from "./bus.ts";
import { claim, extend, type ClaimRequest, type ExtendRequest } from "./claim.ts";
import { tick, ticking, type Machine } from "./clock.ts";
import type { Database } from "./database.ts";
import { nextDump, storeDump } from "./dump.ts";
import { PostgresFiles } from "./files.ts";
import { Followers } from "./followers.ts";
import { billedStep, settle, type Tried } from "./owned.ts";
import { messagesOf } from "./payload.ts";
import { cancel, enqueue, retry } from "./queue.ts";
import { Probe } from "./probe.ts";
import { Reads } from "./reads.ts";
import { Recovery } from "./recovery.ts";
import { expiredRuns, leavingOf, leftRuns, RAN_OUT } from "./release.ts";
import { removeThread } from "./removal.ts";
import { exchangeReports } from "./reports.ts";
import { Retainer } from "./retention.ts";
import { readShared, writeShared } from "./shared.ts";
import { readSpending, reserve } from "./spending.ts";
import { inUnit, type News, type Unit } from "./unit.ts";
import { handBackAll, tidy, type UpkeepParts } from "./upkeep.ts";
import { StepWriter } from "./writer.ts";

export interface PostgresParts {
  readonly database: Database;
  readonly bus: (listener: BusListener) => Bus;
  /** A folder of this machine, for uploads that are not complete. */
  readonly dataDir: string;
  readonly limits: EngineLimits;
  /** The machine whose sign of life `maintain` gives; undefined in tests. */
  readonly machine: Machine | undefined;
}

export class PostgresEngine implements Engine {
  readonly driver = "postgres";
  readonly files: Files;
  readonly lastActivity: () => Promise<number>;
  /** Empty: when another database takes the place of this one, all connections break, so no check is needed. */
  readonly identity = "";
  readonly #database: Database;
  /** For owners and upkeep, which wait longer for a connection than requests. */
  readonly #work: Database;
  readonly #bus: Bus;
  readonly #limits: EngineLimits;
  readonly #machine: Machine | undefined;
  readonly #recovery = new Recovery();
  readonly #reads: Reads;
  readonly #ownerReads: Reads;
  readonly #followers: Followers;
  readonly #steps: StepWriter;
  readonly #retainer: Retainer;
  readonly #upkeep: UpkeepParts;
  readonly #probe: Probe;
  readonly #admission: Admission;
  #closing: Promise<void> | undefined;

  constructor({ database, bus, dataDir, limits, machine }: PostgresParts) {
    this.#database = database;
    this.#work = database.forWork;
    this.#limits = limits;
    this.#machine = machine;
    this.#bus = bus({
      onMessage: (message) => this.#followers.hear(message),
      onLoss: () => this.#followers.lookAtAll(),
    });
    this.files = new PostgresFiles(database, dataDir);
    this.#reads = new Reads(database);
    this.lastActivity = oncePerTick(() => this.#reads.lastActivity());
    this.#ownerReads = new Reads(this.#work);
    this.#admission = new Admission(this.#reads, limits.queued);
    this.#followers = new Followers(database, this.#bus);
    this.#steps = new StepWriter({
      database: this.#work,
      recovery: this.#recovery,
      publish: (news) => this.#publish(news),
    });
    this.#probe = new Probe(database);
    this.#upkeep = { database: this.#work, machine, publish: (news) => this.#publish(news) };
    this.#retainer = new Retainer(this.#upkeep);
  }

  enqueue(run: NewRun) {
    return this.#admission.admit(run, () => this.#inUnit((unit) => enqueue(unit, run, this.#limits)));
  }

  cancel(runId: string) {
    return this.#inUnit((unit) => cancel(unit, runId));
  }

  retry(request: RetryRequest) {
    return this.#inUnit((unit) => retry(unit, { ...request, limits: this.#limits }));
  }

  async post({ type, detail }: NewActivity) {
    const at = Date.now();
    const add = async (unit: Unit) => unit.addActivity({ type, detail }, null, at);
    const { news, activity: seq } = await inUnit(this.#database, add);
    this.#publish(news);
    return { seq, at, type, agent_id: null, thread_id: null, run_id: null, detail };
  }

  deleteThread(threadId: string) {
    return this.#inUnit((unit) => removeThread(unit, { threadId, isAsked: true }));
  }

  async claim(request: ClaimRequest) {
    // Look before claiming: the look is a read, and only a claim costs a transaction.
    const { queued, expired } = await this.#ownerReads.claimable();
    if (expired) await handBackAll(this.#upkeep, await expiredRuns(this.#work), RAN_OUT);
    if (!queued && !expired) return [];
    const { claims, rows } = await this.#inUnit((unit) => claim(unit, request), this.#work);
    // The claim has already added its own event to their journals.
    this.#steps.hold(rows.map((row) => ({ ...row, last_seq: row.last_seq + 1 })));
    return claims;
  }

  extend(request: ExtendRequest) {
    return extend(this.#work, request);
  }

  append(step: Step) {
    if (!step.bill) return this.#steps.append(step);
    const tried: Tried = {};
    return this.#recovery.outlast(() => this.#owned(step, (unit) => billedStep(unit, step, tried)));
  }

  settle(step: Step, outcome: Outcome) {
    return this.#owned(step, (unit) => settle(unit, step, outcome));
  }

  async release(left: Left, end: OwnerEnd) {
    const runs = await leftRuns(this.#work, left);
    await handBackAll(this.#upkeep, runs, leavingOf(left, end));
    return runs.length;
  }

  history(runId: string) {
    return this.#ownerReads.history(runId);
  }

  toolCalls(runId: string) {
    return this.#ownerReads.toolCalls(runId);
  }

  run(runId: string) {
    return this.#reads.run(runId);
  }

  runs(filter: RunFilter) {
    return this.#reads.runs(filter);
  }

  events(runId: string, after: number, page: EventPage) {
    return this.#reads.events(runId, after, page);
  }

  lastEvent(runId: string) {
    return this.#reads.lastEvent(runId);
  }

  activities(filter: ActivityFilter) {
    return this.#reads.activities(filter);
  }

  activitiesAfter(after: number, limit: number, principal?: string) {
    return this.#reads.activitiesAfter(after, limit, principal);
  }

  countActivities(after: number) {
    return this.#reads.countActivities(after);
  }

  threads(filter: ThreadFilter) {
    return this.#reads.threads(filter);
  }

  thread(threadId: string) {
    return this.#reads.thread(threadId);
  }

  messages(threadId: string, page: MessagePage) {
    return this.#reads.messages(threadId, page);
  }

  principalOf(of: RunOrThread) {
    return this.#reads.principalOf(of);
  }

  counts() {
    return this.#reads.counts();
  }

  reserve(reservation: Reservation) {
    return this.#inUnit(async (unit) => reserve(unit.db, await unit.lock(reservation.runId), reservation), this.#work);
  }

  spending(filter: SpendingFilter) {
    return readSpending(this.#database, filter);
  }

  shared(name: string) {
    return readShared(this.#database, name);
  }

  share(name: string, text: string, version: number) {
    return writeShared(this.#database, { name, text, version });
  }

  exchangeReports(report: string | null) {
    return exchangeReports(this.#database, this.#machine?.machine, report);
  }

  watch(owner: Owner, signals: OwnerSignals) {
    return this.#followers.owner(ownerKey(owner), signals);
  }

  follow(runId: string, listener: RunListener) {
    return this.#followers.run(runId, listener);
  }

  followActivities(onActivities: (activities: readonly AttributedActivity[]) => void) {
    return this.#followers.activities(onActivities);
  }

  async maintain() {
    await tick(this.#work, this.#machine);
    await this.#ticking(() => tidy(this.#upkeep));
    return [this.#bus.notice()].filter((notice) => notice !== undefined);
  }

  async check() {
    await this.counts();
    await this.#probe.run();
  }

  bus() {
    const { name, isConnected } = this.#bus;
    return { name, isConnected };
  }

  retain(retention: Retention) {
    return this.#ticking(() => this.#retainer.run(retention, Date.now()));
  }

  exportThread(after: DumpPosition) {
    return nextDump(this.#database, after);
  }

  importThread(dump: ThreadDump) {
    return storeDump(this.#database, dump);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#followers.stop();
    this.#recovery.stop();
    await this.#steps.drain();
    await this.#bus.close();
    await this.#database.close();
  }

  #ticking<T>(work: () => Promise<T>): Promise<T> {
    return ticking(this.#work, this.#machine, work);
  }

  async #inUnit<T>(work: (unit: Unit) => Promise<T>, database = this.#database): Promise<T> {
    const { value, news } = await inUnit(database, work);
    this.#publish(news);
    return value;
  }

  /**
   * A write of the run's owner beside the group commit. Afterwards the writer reads anew where the run's journal ends.
   */
  async #owned<T>(step: Step, work: (unit: Unit) => Promise<T>): Promise<T> {
    try {
      return await this.#inUnit(work, this.#work);
    } finally {
      this.#steps.forget(step.runId);
    }
  }

  #publish(news: News): void {
    const messages = messagesOf(news, this.#bus.maxPayloadBytes);
    if (messages.length > 0) this.#bus.publish(messages);
  }
}
