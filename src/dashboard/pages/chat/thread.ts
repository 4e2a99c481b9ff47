/**
 * One conversation: its stored turns, the runs that are under way, and what this page sends. Ids are chosen here,
 * before sending, so that a repeat makes no second run and a reload finds the first. Another tab that writes to
 * the thread is noticed by the activity feed.
 */
import { signal } from "@preact/signals";
import type { Activity } from "../../../core/activity.ts";
import { newId } from "../../../core/id.ts";
import type { StoredMessage } from "../../../core/message.ts";
import { isOver } from "../../../core/run.ts";
import { getJson, sendJson } from "../../live/api.ts";
import { call, subscribe } from "../../live/live.ts";
import { LiveRun } from "../../run-view/live-run.ts";
import type { RunRow } from "../../run-view/run-row.ts";
import { turnsOf, type Failure, type Turn } from "./turn.ts";

/** How many of the newest runs are asked how they stand. Older ones are long over. */
const KNOWN_RUNS = 100;
/** How many of those are followed though they failed or were stopped. The socket takes 256 subscriptions. */
const FOLLOWED_ENDS = 20;
/** A new run is told to the feed in the same moment in which its message is stored; many come together. */
const RELOAD_AFTER_MS = 100;

export class ChatThread {
  readonly threadId: string;
  /** Null until the first answer of the server. Grows with the conversation, which is read whole. */
  readonly turns = signal<readonly Turn[] | null>(null);
  readonly error = signal<unknown>(null);
  readonly isDeleted = signal(false);
  #unsubscribe: (() => void) | undefined;
  #reload: ReturnType<typeof setTimeout> | undefined;
  #isStarted = false;

  /** @param threadId undefined for a conversation that does not exist yet */
  constructor(threadId: string | undefined) {
    this.threadId = threadId ?? newId("thread");
    if (threadId === undefined) this.turns.value = [];
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    // Before the first look, so that no run is missed between the two.
    this.#unsubscribe = subscribe({ channel: "activities" }, { onEvent: (event) => this.#onActivity(event) });
    if (this.turns.value === null) this.load();
    else for (const { live } of this.turns.value) live?.start();
  }

  stop(): void {
    this.#isStarted = false;
    this.#unsubscribe?.();
    clearTimeout(this.#reload);
    for (const { live } of this.turns.value ?? []) live?.stop();
  }

  load(): void {
    this.error.value = null;
    void this.#load().catch((error: unknown) => (this.error.value = error));
  }

  send(agentId: string, message: string): void {
    const turn = { runId: newId("run"), asked: message, agentId, live: null, stored: [], end: null } as const;
    this.turns.value = [...(this.turns.value ?? []), { ...turn, sending: "sending" }];
    void this.#send(turn.runId, agentId, message);
  }

  /** The same message under the same run id: if the server had it after all, it makes no second run. */
  resend({ runId, agentId, asked }: Turn): void {
    if (agentId === null || asked === null) return;
    this.#change(runId, { sending: "sending" });
    void this.#send(runId, agentId, asked);
  }

  /** @throws ApiError */
  async cancel(runId: string): Promise<void> {
    await call({ op: "cancel", run_id: runId });
  }

  /** @throws ApiError THREAD_BUSY */
  async delete(): Promise<void> {
    await sendJson("DELETE", `/api/threads/${encodeURIComponent(this.threadId)}`);
    this.isDeleted.value = true;
  }

  async #send(runId: string, agentId: string, message: string): Promise<void> {
    try {
      await call({ op: "chat", run_id: runId, thread_id: this.threadId, agent_id: agentId, message });
      this.#change(runId, { sending: null, live: this.#follow(runId) });
    } catch (error) {
      const { code, message: detail } = error as Failure;
      this.#change(runId, { sending: { code, message: detail } });
    }
  }

  async #load(): Promise<void> {
    const id = encodeURIComponent(this.threadId);
    // The runs first: one that comes between the two requests has its message in the second, and is live below.
    const { runs } = await getJson<{ runs: RunRow[] }>(`/api/runs?thread_id=${id}&limit=${KNOWN_RUNS}`);
    const messages = await getJson<{ messages: StoredMessage[] }>(`/api/threads/${id}`).then(
      (thread) => thread.messages,
      (error: unknown) => {
        // The URL of a conversation that has not begun, or was deleted.
        if ((error as Failure).code === "THREAD_NOT_FOUND") return [];
        throw error;
      },
    );
    const known = new Set(runs.map(({ run_id: runId }) => runId));
    const told = new Set(runs.filter(isToldByJournal).map(({ run_id: runId }) => runId));
    const isComplete = runs.length < KNOWN_RUNS;
    this.#merge(turnsOf(messages, runs), (runId) => told.has(runId) || (isComplete && !known.has(runId)));
  }

  /** What this page follows already stays as it is. */
  #merge(loaded: readonly Turn[], isLive: (runId: string) => boolean): void {
    const own = new Map(this.turns.value?.map((turn) => [turn.runId, turn]));
    const merged = loaded.map((turn): Turn => {
      const mine = own.get(turn.runId);
      own.delete(turn.runId);
      if (mine?.live || mine?.sending) return { ...mine, asked: mine.asked ?? turn.asked };
      return isLive(turn.runId) ? { ...turn, stored: [], live: this.#follow(turn.runId) } : turn;
    });
    // What is on its way is not stored yet.
    this.turns.value = [
      ...merged,
      ...[...own.values()].filter(({ sending, live }) => sending !== null || live !== null),
    ];
  }

  #follow(runId: string): LiveRun {
    const live = new LiveRun(runId);
    if (this.#isStarted) live.start();
    return live;
  }

  #onActivity(event: unknown): void {
    const { type, thread_id: threadId, run_id: runId, detail } = event as Partial<Activity>;
    if (type === "thread.deleted" && detail?.["thread_id"] === this.threadId) this.isDeleted.value = true;
    // Of every activity but of our thread's new runs we need to know nothing: each run tells its own story.
    if (threadId !== this.threadId || !runId || this.turns.value?.some((turn) => turn.runId === runId)) return;
    this.#reload ??= setTimeout(() => {
      this.#reload = undefined;
      this.load();
    }, RELOAD_AFTER_MS);
  }

  #change(runId: string, change: Partial<Turn>): void {
    this.turns.value = (this.turns.value ?? []).map((turn) => (turn.runId === runId ? { ...turn, ...change } : turn));
  }
}

/** What runs; and what ended early, because half an answer is in the journal only. */
function isToldByJournal({ status }: RunRow, index: number): boolean {
  return !isOver(status) || (status !== "completed" && index < FOLLOWED_ENDS);
}
