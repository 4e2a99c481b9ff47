/**
 * One thread as a page shows it: the messages that are stored and current, and the run that is under way. Called by
 * `useThread`; knows nothing of React.
 */
import { EvenkeelError, type Chat, type Evenkeel, type Thread } from "../client/client.ts";
import { asError, RunStore, type WatchedRun } from "./run-store.ts";

type StoredMessage = Thread["messages"][number];

export interface ThreadView {
  /** Of the runs that are over, oldest first; what another message took the place of is left out. */
  readonly messages: readonly StoredMessage[];
  /** The question and the answer so far; undefined while nothing is under way. */
  readonly current: { readonly runId: string; readonly asked: Chat["message"]; readonly run: WatchedRun } | undefined;
  /** Why the thread cannot be read, or the newest message not be sent. */
  readonly failure: Error | undefined;
}

const EMPTY: ThreadView = { messages: [], current: undefined, failure: undefined };
/** Of stored messages, the newest. */
const MESSAGES = 200;

export interface ThreadOptions {
  readonly client: Evenkeel;
  readonly threadId: string;
  readonly agentId: string;
}

export class ThreadStore {
  readonly #options: ThreadOptions;
  readonly #listeners = new Set<() => void>();
  #view = EMPTY;
  #unwatch: (() => void) | undefined;
  /** Counts what changes the view from outside, so that an answer to an older question is not shown. */
  #asked = 0;

  constructor(options: ThreadOptions) {
    this.#options = options;
  }

  readonly get = (): ThreadView => this.#view;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) void this.#load();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#leave();
    };
  };

  /** Asks, and shows the answer as it comes. @param more other fields of the request */
  readonly send = async (message: Chat["message"], more: Partial<Chat> = {}): Promise<void> => {
    const { client, threadId, agentId } = this.#options;
    try {
      const { run_id: runId } = await client.begin({ ...more, agent_id: agentId, thread_id: threadId, message });
      this.#watch(runId, message);
    } catch (error) {
      this.#set({ failure: asError(error) });
    }
  };

  /** Cancels the run that is under way, if there is one. */
  readonly cancel = async (): Promise<void> => {
    const { current } = this.#view;
    if (current) await this.#options.client.cancel(current.runId);
  };

  async #load(): Promise<void> {
    const { client, threadId } = this.#options;
    this.#asked += 1;
    const question = this.#asked;
    try {
      const { messages } = await client.thread(threadId, { limit: MESSAGES });
      const [newest] = (await client.runs({ thread_id: threadId, limit: 1 })).runs;
      if (question !== this.#asked) return;
      const isUnderWay = newest?.status === "queued" || newest?.status === "running";
      const current = messages.filter(({ why }) => why !== "superseded" && why !== "retried");
      const underWay = isUnderWay ? newest.run_id : undefined;
      const asked = current.find(({ run_id: runId, role }) => runId === underWay && role === "user");
      this.#set({
        messages: current.filter(({ run_id: runId }) => runId !== underWay),
        current: undefined,
        failure: undefined,
      });
      if (underWay !== undefined) this.#watch(underWay, typeof asked?.content === "string" ? asked.content : "");
    } catch (error) {
      if (question !== this.#asked) return;
      // A thread begins with its first message.
      const isNew = error instanceof EvenkeelError && error.status === 404;
      this.#set({ failure: isNew ? undefined : asError(error) });
    }
  }

  #watch(runId: string, asked: Chat["message"]): void {
    this.#asked += 1;
    this.#leave();
    if (this.#listeners.size === 0) return;
    const store = RunStore.follow(this.#options.client, runId);
    const show = () => {
      const run = store.get();
      this.#set({ current: { runId, asked, run }, failure: run.failure });
      const isOver = run.status !== "queued" && run.status !== "running";
      if (isOver) void this.#load();
    };
    this.#unwatch = store.subscribe(show);
    show();
  }

  #leave(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
  }

  #set(change: Partial<ThreadView>): void {
    this.#view = { ...this.#view, ...change };
    for (const listener of this.#listeners) listener();
  }
}
