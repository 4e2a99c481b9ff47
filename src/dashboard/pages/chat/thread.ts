/**
 * One conversation: its stored turns, the runs that are under way, and what this page sends. Ids are chosen here,
 * before sending, so that a repeat makes no second run and a reload finds the first. Another tab that writes to
 * the thread is noticed by the activity feed.
 */
import { signal } from "@preact/signals";
import type { Activity, ActivityType } from "../../../core/activity.ts";
import { newId } from "../../../core/id.ts";
import { wordsOf, type StoredMessage } from "../../../core/message.ts";
import { isOver, titleOf, type Run } from "../../../core/run.ts";
import { ActivityWatch } from "../../live/activity-watch.ts";
import { problemOf, type Problem } from "../../live/api-error.ts";
import type { ListPage } from "../../live/list-page.ts";
import { reportTo } from "../../live/report-to.ts";
import { OneAtATime } from "../../live/one-at-a-time.ts";
import type { Strategy } from "../../live/messages.ts";
import type { Services } from "../../live/services.ts";
import { LiveRun } from "../../run-view/live-run.ts";
import { messageOf, type Question } from "../../run-view/question.ts";
import { isRunning, turnsOf, type Turn } from "./turn.ts";
import { keepUnsent, readDraft, readDraftFiles, readUnsent, type Unsent } from "./unsent.ts";

/** Number of the newest runs whose state is requested. Older runs ended long ago. */
const KNOWN_RUNS = 100;
/** Number of those runs, failed or stopped, whose half-written answers are read from their journals. */
const FOLLOWED_ENDS = 20;
/** After one of these activities the run's whole journal is stored. */
const ENDS: ReadonlySet<ActivityType> = new Set(["run.completed", "run.failed", "run.canceled"]);
/** A new run appears in the feed at the moment when its message is stored; many come together. */
const RELOAD_AFTER_MS = 100;

/**
 * Pages of messages, of a megabyte each. Of a longer thread the newest pages are shown, and the same number at each
 * click.
 */
const PAGES_AT_ONCE = 10;

interface Stored {
  readonly messages: readonly StoredMessage[];
  readonly title: string | null;
  /** Cursor of older messages; null when there are none. */
  readonly next: number | null;
}

export class ChatThread {
  readonly threadId: string;
  /** Null until the first answer of the server. Grows with the conversation, which is read whole. */
  readonly turns = signal<readonly Turn[] | null>(null);
  readonly title = signal<string | null>(null);
  readonly error = signal<Problem | null>(null);
  /** There are messages before those of `turns`. */
  readonly hasOlder = signal(false);
  readonly isLoadingOlder = signal(false);
  readonly isDeleted = signal(false);
  /** Neither the server nor this tab knows the thread of the address: it is mistyped, or was deleted before. */
  readonly isMissing = signal(false);
  readonly #services: Services;
  #reload: ReturnType<typeof setTimeout> | undefined;
  #isStarted = false;
  #pages = PAGES_AT_ONCE;
  /** False while the server cannot know the thread. */
  #isKnown: boolean;
  /** Messages of an earlier visit that the server may not have. */
  readonly #unsent: Unsent[];
  /** By run: a promise that settles when the server has answered the message. Each entry is a click of a person. */
  readonly #sends = new Map<string, Promise<void>>();
  readonly #requests = new OneAtATime(() => this.#fetch());
  readonly watch: ActivityWatch;

  /** @param threadId undefined for a conversation that does not exist yet */
  constructor(services: Services, threadId: string | undefined) {
    this.#services = services;
    this.watch = new ActivityWatch(services.live, {
      onActivity: (activity) => this.#onActivity(activity),
      onMissed: () => this.#isKnown && this.load(),
    });
    this.threadId = threadId ?? newId("thread");
    this.#isKnown = threadId !== undefined;
    this.#unsent = threadId === undefined ? [] : readUnsent(threadId);
    if (threadId === undefined || this.#unsent.length > 0) this.turns.value = this.#unsent.map(turnOf);
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.watch.start();
    this.#followNext();
    // A refused message waits for a person to try again.
    for (const unsent of this.#unsent.splice(0)) if (!unsent.problem) this.#send(unsent);
  }

  stop(): void {
    this.#isStarted = false;
    this.watch.stop();
    clearTimeout(this.#reload);
    this.#reload = undefined;
    for (const { live } of this.turns.value ?? []) live?.stop();
  }

  retry(): void {
    this.stop();
    this.start();
  }

  load(): void {
    this.#requests.request();
  }

  loadOlder(): void {
    this.isLoadingOlder.value = true;
    this.#pages += PAGES_AT_ONCE;
    this.load();
  }

  send(agentId: string, asked: Question, strategy: Strategy = "enqueue"): void {
    const unsent = { runId: newId("run"), agentId, asked, strategy, problem: null };
    this.title.value ??= titleOf(wordsOf(asked));
    this.turns.value = [...(this.turns.value ?? []), turnOf(unsent)];
    this.#send(unsent);
  }

  /** The same message under the same run id: if the server had it after all, it makes no second run. */
  resend({ runId, agentId, asked, strategy }: Turn): void {
    if (agentId === null || asked === null || this.#sends.has(runId)) return;
    this.#change(runId, { sending: "sending" });
    this.#send({ runId, agentId, asked, strategy, problem: null });
  }

  /** A refused message leaves the conversation: the person writes it anew. */
  withdraw({ runId }: Turn): void {
    if (this.#sends.has(runId)) return;
    this.turns.value = (this.turns.value ?? []).filter((turn) => turn.runId !== runId);
    if (this.turns.value.length === 0) this.title.value = null;
    this.#keepUnsent();
  }

  /** @throws ApiError */
  async cancel(runId: string): Promise<void> {
    // Wait for the message to arrive: until then the server knows no such run.
    await this.#sends.get(runId);
    await this.#services.live.call({ op: "cancel", run_id: runId });
  }

  /** @throws ApiError THREAD_BUSY */
  async delete(): Promise<void> {
    await this.#services.api.send("DELETE", `/api/threads/${encodeURIComponent(this.threadId)}`);
    this.isDeleted.value = true;
  }

  #send(unsent: Unsent): void {
    this.#keepUnsent();
    const answered = this.#ask(unsent).finally(() => {
      this.#sends.delete(unsent.runId);
      this.#keepUnsent();
    });
    this.#sends.set(unsent.runId, answered);
  }

  /** Never rejects: the turn says what was wrong. */
  async #ask({ runId, agentId, asked, strategy }: Unsent): Promise<void> {
    const ids = { run_id: runId, thread_id: this.threadId, agent_id: agentId };
    try {
      await this.#services.live.call({ op: "chat", ...ids, message: messageOf(asked), multitask_strategy: strategy });
      this.#isKnown = true;
      this.#change(runId, { sending: null, live: this.#liveOf(runId) });
      this.#followNext();
    } catch (error) {
      this.#change(runId, { sending: problemOf(error) });
    }
  }

  #keepUnsent(): void {
    const turns = this.turns.value ?? [];
    const unsent = turns.flatMap(({ sending, runId, agentId, asked, strategy }, index): Unsent[] => {
      if (sending === null || agentId === null || asked === null) return [];
      if (sending === "sending") return [{ runId, agentId, asked, strategy, problem: null }];
      // A message after which another was sent counts as given up.
      return index === turns.length - 1 ? [{ runId, agentId, asked, strategy, problem: sending }] : [];
    });
    keepUnsent(this.threadId, unsent);
  }

  async #fetch(): Promise<void> {
    await reportTo(this.error, () => this.#load());
    this.isLoadingOlder.value = false;
  }

  async #load(): Promise<void> {
    const id = encodeURIComponent(this.threadId);
    // Request the runs first: the message of a run that begins between the two requests is in the second answer, and
    // the run is followed live below.
    const query = `thread_id=${id}&limit=${KNOWN_RUNS}`;
    const { runs, next: nextRun } = await this.#services.api.get<ListPage<"runs", Run>>(`/api/runs?${query}`);
    const { messages, title, next } = await this.#fetchMessages(id).catch((error: unknown): Stored => {
      // The thread is deleted, mistyped, or new; in the last case its first message is still in this tab.
      if (problemOf(error).code === "THREAD_NOT_FOUND") return { messages: [], title: null, next: null };
      throw error;
    });
    this.title.value = title ?? this.title.value;
    this.hasOlder.value = next !== null;
    const known = new Set(runs.map(({ run_id: runId }) => runId));
    const told = new Set(runs.filter(isToldByJournal).map(({ run_id: runId }) => runId));
    const isComplete = nextRun === null;
    this.#merge(turnsOf(messages, runs), (runId) => told.has(runId) || (isComplete && !known.has(runId)));
    const isDraft = readDraft(this.threadId) !== "" || readDraftFiles(this.threadId).length > 0;
    this.isMissing.value = this.turns.value?.length === 0 && !isDraft;
  }

  async #fetchMessages(id: string): Promise<Stored> {
    const newest = await this.#services.api.get<Stored>(`/api/threads/${id}`);
    const pages = [newest.messages];
    let { next } = newest;
    while (next !== null && pages.length < this.#pages) {
      const older: Stored = await this.#services.api.get<Stored>(`/api/threads/${id}?before=${next}`);
      pages.unshift(older.messages);
      next = older.next;
    }
    return { messages: pages.flat(), title: newest.title, next };
  }

  /** Turns that this page already follows stay as they are. */
  #merge(loaded: readonly Turn[], isLive: (runId: string) => boolean): void {
    const own = new Map(this.turns.value?.map((turn) => [turn.runId, turn]));
    const merged = loaded.map((turn): Turn => {
      const mine = own.get(turn.runId);
      own.delete(turn.runId);
      if (mine?.live || mine?.sending)
        return { ...mine, asked: mine.asked ?? turn.asked, end: turn.end, row: turn.row, unsent: turn.unsent };
      return isLive(turn.runId) ? { ...turn, stored: [], live: this.#liveOf(turn.runId) } : turn;
    });
    // A message that is being sent is not stored yet.
    this.turns.value = [
      ...merged,
      ...[...own.values()].filter(({ sending, live }) => sending !== null || live !== null),
    ];
    this.#followNext();
  }

  #liveOf(runId: string): LiveRun {
    return new LiveRun(this.#services.live, runId, () => this.#followNext());
  }

  /**
   * Follows the oldest run that is not over, and the next one when it ends: the runs of a thread come one after the
   * other. All tabs share a socket, which takes 256 subscriptions, and a queue may be longer.
   */
  #followNext(): void {
    if (!this.#isStarted) return;
    const turns = this.turns.value ?? [];
    for (const { live, end } of turns) if (end) live?.start();
    turns.find(isRunning)?.live?.start();
  }

  #onActivity({ type, thread_id: threadId, run_id: runId, detail }: Activity): void {
    if (type === "thread.deleted" && detail["thread_id"] === this.threadId) this.isDeleted.value = true;
    if (threadId !== this.threadId || !runId) return;
    const known = this.turns.value?.find((turn) => turn.runId === runId);
    // The run was canceled while it waited behind another, for example; show that now and not at its turn.
    if (known?.live && this.#isStarted && ENDS.has(type)) known.live.start();
    // Only new runs of this thread matter here, because each run reports everything else in its own journal.
    if (known) return;
    this.#reload ??= setTimeout(() => {
      this.#reload = undefined;
      this.load();
    }, RELOAD_AFTER_MS);
  }

  #change(runId: string, change: Partial<Turn>): void {
    this.turns.value = (this.turns.value ?? []).map((turn) => (turn.runId === runId ? { ...turn, ...change } : turn));
  }
}

function turnOf({ runId, agentId, asked, strategy, problem }: Unsent): Turn {
  const blank = { live: null, stored: [], end: null, row: null, unsent: null };
  return { ...blank, runId, agentId, asked, strategy, sending: problem ?? "sending" };
}

/** Runs under way, and runs that ended early, because only the journal has half an answer. */
function isToldByJournal({ status }: Run, index: number): boolean {
  return !isOver(status) || (status !== "completed" && index < FOLLOWED_ENDS);
}
