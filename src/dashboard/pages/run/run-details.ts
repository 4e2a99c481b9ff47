/**
 * The stored row of one run, beside its journal: read at the start, and again when the journal shows a change of state.
 */
import { signal } from "@preact/signals";
import type { StoredMessage } from "../../../core/message.ts";
import type { Run } from "../../../core/run.ts";
import { problemOf, type Problem } from "../../live/api-error.ts";
import { reportTo } from "../../live/report-to.ts";
import { OneAtATime } from "../../live/one-at-a-time.ts";
import type { Services } from "../../live/services.ts";
import { questionOf, type Question } from "../../run-view/question.ts";

/** A page of messages is a megabyte. */
const MAX_PAGES = 50;

interface MessagesPage {
  readonly messages: readonly StoredMessage[];
  readonly next: number | null;
}

export class RunDetails {
  readonly runId: string;
  readonly run = signal<Run | null>(null);
  /** The message that began it. */
  readonly asked = signal<Question | null>(null);
  readonly error = signal<Problem | null>(null);
  /** Why the message did not arrive. */
  readonly askedError = signal<Problem | null>(null);
  readonly actionError = signal<Problem | null>(null);
  readonly isCanceling = signal(false);
  readonly #services: Services;
  readonly #requests = new OneAtATime(() => this.#fetch());

  constructor(services: Services, runId: string) {
    this.#services = services;
    this.runId = runId;
  }

  load(): void {
    this.error.value = null;
    this.refresh();
  }

  refresh(): void {
    this.#requests.request();
  }

  cancel(): void {
    this.isCanceling.value = true;
    this.actionError.value = null;
    this.#services.live
      .call({ op: "cancel", run_id: this.runId })
      .then(
        () => this.refresh(),
        (error: unknown) => (this.actionError.value = problemOf(error)),
      )
      .finally(() => (this.isCanceling.value = false));
  }

  /**
   * Continues from the last checkpoint, as a new run. @returns its id; undefined when the server refused, and then
   * `actionError` has the reason
   */
  async retry(): Promise<string | undefined> {
    this.actionError.value = null;
    try {
      const run = await this.#services.api.send<Run>("POST", `/api/runs/${encodeURIComponent(this.runId)}/retry`);
      return run?.run_id;
    } catch (error) {
      this.actionError.value = problemOf(error);
      return undefined;
    }
  }

  async #fetch(): Promise<void> {
    try {
      this.run.value = await this.#services.api.get<Run>(`/api/runs/${encodeURIComponent(this.runId)}`);
      this.error.value = null;
    } catch (error) {
      // Keep the shown values; the next event of the run causes another request.
      if (!this.run.value) this.error.value = problemOf(error);
    }
    const thread = this.run.value?.thread_id;
    if (thread !== undefined && !this.asked.value) await reportTo(this.askedError, () => this.#fetchAsked(thread));
  }

  /** The message is stored in the thread and not in the journal. */
  async #fetchAsked(threadId: string): Promise<void> {
    const path = `/api/threads/${encodeURIComponent(threadId)}`;
    let first: StoredMessage | undefined;
    let query = "";
    // Read pages from the newest back until the first message of the run is found.
    for (let pages = 0; pages < MAX_PAGES; pages += 1) {
      const { messages, next } = await this.#services.api.get<MessagesPage>(`${path}${query}`);
      first = messages.find(({ role, run_id: runId }) => role === "user" && runId === this.runId) ?? first;
      if (next === null || (first && messages[0]?.run_id !== this.runId)) break;
      query = `?before=${next}`;
    }
    this.asked.value = first ? questionOf(first) : null;
  }
}
