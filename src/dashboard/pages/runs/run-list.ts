/**
 * The runs that the page shows, kept current: activities say which run changed, and at most one request a second
 * fetches what is new: that run, or, when several changed, all that is shown. Bounded by what one request gives.
 * Requests come one after the other, so that no older answer is shown over a newer one.
 */
import { signal } from "@preact/signals";
import type { Activity } from "../../../core/activity.ts";
import { isOver, type Run } from "../../../core/run.ts";
import { ActivityWatch } from "../../live/activity-watch.ts";
import { problemOf, type Problem } from "../../live/api-error.ts";
import { RefreshSoon } from "../../live/refresh-soon.ts";
import type { Services } from "../../live/services.ts";

export interface RunFilter {
  readonly status: string;
  readonly agent: string;
  readonly thread: string;
}

const PAGE_ROWS = 50;
/** The most that the server gives at once, and so the most that the page keeps current. */
export const MAX_ROWS = 500;

interface Page {
  readonly runs: readonly Run[];
  readonly next: number | null;
}

export class RunList {
  readonly rows = signal<readonly Run[] | null>(null);
  /** Null when there are no older ones, or no more can be shown. */
  readonly next = signal<number | null>(null);
  readonly error = signal<Problem | null>(null);
  readonly isLoadingMore = signal(false);
  readonly watch: ActivityWatch;
  readonly #services: Services;
  readonly #filter: RunFilter;
  /** Runs that changed since they were fetched; two are as many as all. */
  readonly #changed = new Set<string | null>();
  readonly #soon = new RefreshSoon(() => void this.#request(() => this.#fetchChanged()));
  #abort = new AbortController();
  /** Requests under way or waiting for their turn; each click or reason adds one at most. */
  #pending = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(services: Services, filter: RunFilter) {
    this.#services = services;
    this.watch = new ActivityWatch(services.live, {
      onActivity: (activity) => this.#onActivity(activity),
      onMissed: () => this.reload(),
    });
    this.#filter = filter;
  }

  start(): void {
    this.watch.start();
  }

  stop(): void {
    this.watch.stop();
    this.#abort.abort();
    this.#soon.stop();
  }

  retry(): void {
    this.stop();
    this.start();
  }

  /** Anew, whatever is under way. */
  reload(): void {
    this.#abort.abort();
    this.#abort = new AbortController();
    void this.#request(() => this.#fetchShown());
  }

  loadMore(): void {
    const before = this.next.value;
    if (before === null || this.isLoadingMore.value) return;
    this.isLoadingMore.value = true;
    void this.#request(async () => {
      const { runs, next } = await this.#get({ limit: PAGE_ROWS, before });
      const known = new Set(this.rows.value?.map(({ run_id: id }) => id));
      this.#show([...(this.rows.value ?? []), ...runs.filter(({ run_id: id }) => !known.has(id))], next);
    }).finally(() => (this.isLoadingMore.value = false));
  }

  /** @throws ApiError of the first that was refused; the others were asked for as well */
  async cancel(runIds: readonly string[]): Promise<void> {
    const answers = await Promise.allSettled(
      runIds.map((runId) => this.#services.live.call({ op: "cancel", run_id: runId })),
    );
    this.#noteChange(null);
    const refused = answers.find(({ status }) => status === "rejected");
    if (refused?.status === "rejected") throw refused.reason;
  }

  #onActivity({ type, run_id: runId, agent_id: agentId, thread_id: threadId }: Activity): void {
    if (type === "notice") return;
    const { agent, thread } = this.#filter;
    if (agent !== "" && agentId && agentId !== agent) return;
    if (thread !== "" && threadId && threadId !== thread) return;
    // A deleted thread may change any.
    this.#noteChange(runId ?? null);
  }

  #noteChange(runId: string | null): void {
    if (this.#changed.size < 2) this.#changed.add(runId);
    this.#fetchSoon();
  }

  #fetchSoon(): void {
    // The end of the last request comes here again.
    if (this.#changed.size > 0 && this.#pending === 0 && !this.#abort.signal.aborted) this.#soon.request();
  }

  #request(work: () => Promise<void>): Promise<void> {
    const { signal: aborted } = this.#abort;
    this.#pending += 1;
    this.#last = this.#last.then(async () => {
      if (!aborted.aborted) await this.#perform(work, aborted);
      this.#pending -= 1;
      this.#fetchSoon();
    });
    return this.#last;
  }

  async #perform(work: () => Promise<void>, aborted: AbortSignal): Promise<void> {
    this.#soon.noteRequest();
    try {
      await work();
      this.error.value = null;
    } catch (error) {
      if (!aborted.aborted) this.error.value = problemOf(error);
    }
  }

  #fetchChanged(): Promise<void> {
    const [only] = this.#changed.size === 1 ? this.#changed : [null];
    const isShown = this.rows.value?.some(({ run_id: id }) => id === only) === true;
    return only && isShown ? this.#fetchOne(only) : this.#fetchShown();
  }

  async #fetchOne(runId: string): Promise<void> {
    this.#changed.clear();
    const { signal } = this.#abort;
    const run = await this.#services.api.get<Run>(`/api/runs/${encodeURIComponent(runId)}`, { signal }).catch(gone);
    signal.throwIfAborted();
    const rows = this.rows.value ?? [];
    this.rows.value = rows.flatMap((row) => {
      if (row.run_id !== runId) return [row];
      return run && (this.#filter.status === "" || run.status === this.#filter.status) ? [run] : [];
    });
  }

  async #fetchShown(): Promise<void> {
    this.#changed.clear();
    const limit = Math.min(MAX_ROWS, Math.max(PAGE_ROWS, this.rows.value?.length ?? 0));
    const { runs, next } = await this.#get({ limit });
    this.#show(runs, next);
  }

  #show(rows: readonly Run[], next: number | null): void {
    this.rows.value = keepOver(rows.slice(0, MAX_ROWS), this.rows.value ?? []);
    this.next.value = rows.length < MAX_ROWS ? next : null;
  }

  async #get(page: { limit: number; before?: number }): Promise<Page> {
    const { status, agent, thread } = this.#filter;
    const query = new URLSearchParams({ limit: String(page.limit) });
    if (page.before !== undefined) query.set("before", String(page.before));
    if (status !== "") query.set("status", status);
    if (agent !== "") query.set("agent_id", agent);
    if (thread !== "") query.set("thread_id", thread);
    const { signal } = this.#abort;
    const answer = await this.#services.api.get<Page>(`/api/runs?${query}`, { signal });
    signal.throwIfAborted();
    return answer;
  }
}

/** A run that is over never changes: as the same object it is not drawn again. */
function keepOver(rows: readonly Run[], before: readonly Run[]): Run[] {
  const over = new Map(before.filter(({ status }) => isOver(status)).map((run) => [run.run_id, run]));
  return rows.map((run) => over.get(run.run_id) ?? run);
}

/** Deleted with its thread. */
function gone(error: unknown): undefined {
  if ((error as { code?: unknown }).code === "RUN_NOT_FOUND") return undefined;
  throw error;
}
