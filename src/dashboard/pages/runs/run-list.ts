/**
 * The runs that the page shows, kept current: activities say which run changed, and at most one request a second
 * fetches what is new: that run, or, when several changed, all that is shown. Bounded by what one request gives.
 */
import { signal } from "@preact/signals";
import type { Activity } from "../../../core/activity.ts";
import { getJson } from "../../live/api.ts";
import { call, subscribe } from "../../live/live.ts";
import type { RunRow } from "../../run-view/run-row.ts";

export interface RunFilter {
  readonly status: string;
  readonly agent: string;
  readonly thread: string;
}

const PAGE_ROWS = 50;
/** The most that the server gives at once, and so the most that the page keeps current. */
export const MAX_ROWS = 500;
const REFRESH_EVERY_MS = 1_000;
/** So that the first of many changes does not fetch alone. */
const GATHER_MS = 150;

interface Page {
  readonly runs: readonly RunRow[];
  readonly next: number | null;
}

export class RunList {
  readonly rows = signal<readonly RunRow[] | null>(null);
  /** Null when there are no older ones, or no more can be shown. */
  readonly next = signal<number | null>(null);
  readonly error = signal<unknown>(null);
  readonly isLoadingMore = signal(false);
  readonly #filter: RunFilter;
  /** Runs that changed since they were fetched; two are as many as all. */
  readonly #changed = new Set<string | null>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #requestedAt = 0;
  #unsubscribe: (() => void) | undefined;
  #abort = new AbortController();

  constructor(filter: RunFilter) {
    this.#filter = filter;
  }

  start(): void {
    this.#abort = new AbortController();
    // Before the first request, so that nothing falls between the two.
    this.#unsubscribe = subscribe(
      { channel: "activities" },
      { onEvent: (event) => this.#onActivity(event as Activity) },
    );
    this.reload();
  }

  stop(): void {
    this.#unsubscribe?.();
    this.#abort.abort();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  reload(): void {
    this.error.value = null;
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
    const answers = await Promise.allSettled(runIds.map((runId) => call({ op: "cancel", run_id: runId })));
    this.#noteChange(null);
    const refused = answers.find(({ status }) => status === "rejected");
    if (refused?.status === "rejected") throw refused.reason;
  }

  #onActivity({ type, run_id: runId, agent_id: agentId, thread_id: threadId }: Partial<Activity>): void {
    if (type === "notice") return;
    const { agent, thread } = this.#filter;
    if (agent !== "" && agentId && agentId !== agent) return;
    if (thread !== "" && threadId && threadId !== thread) return;
    // A deleted thread, or a gap in the feed, may change any.
    this.#noteChange(runId ?? null);
  }

  #noteChange(runId: string | null): void {
    if (this.#changed.size < 2) this.#changed.add(runId);
    const dueMs = Math.max(GATHER_MS, this.#requestedAt + REFRESH_EVERY_MS - Date.now());
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const [only] = this.#changed.size === 1 ? this.#changed : [null];
      this.#changed.clear();
      const isShown = this.rows.value?.some(({ run_id: id }) => id === only) === true;
      void this.#request(() => (only && isShown ? this.#fetchOne(only) : this.#fetchShown()));
    }, dueMs);
  }

  async #request(work: () => Promise<void>): Promise<void> {
    this.#requestedAt = Date.now();
    const { signal: aborted } = this.#abort;
    try {
      await work();
      this.error.value = null;
    } catch (error) {
      if (!aborted.aborted) this.error.value = error;
    }
  }

  async #fetchOne(runId: string): Promise<void> {
    const run = await getJson<RunRow>(`/api/runs/${encodeURIComponent(runId)}`, this.#abort.signal).catch(gone);
    const rows = this.rows.value ?? [];
    this.rows.value = rows.flatMap((row) => {
      if (row.run_id !== runId) return [row];
      return run && (this.#filter.status === "" || run.status === this.#filter.status) ? [run] : [];
    });
  }

  async #fetchShown(): Promise<void> {
    const limit = Math.min(MAX_ROWS, Math.max(PAGE_ROWS, this.rows.value?.length ?? 0));
    const { runs, next } = await this.#get({ limit });
    this.#show(runs, next);
  }

  #show(rows: readonly RunRow[], next: number | null): void {
    this.rows.value = rows.slice(0, MAX_ROWS);
    this.next.value = rows.length < MAX_ROWS ? next : null;
  }

  #get(page: { limit: number; before?: number }): Promise<Page> {
    const { status, agent, thread } = this.#filter;
    const query = new URLSearchParams({ limit: String(page.limit) });
    if (page.before !== undefined) query.set("before", String(page.before));
    if (status !== "") query.set("status", status);
    if (agent !== "") query.set("agent_id", agent);
    if (thread !== "") query.set("thread_id", thread);
    return getJson<Page>(`/api/runs?${query}`, this.#abort.signal);
  }
}

/** Deleted with its thread. */
function gone(error: unknown): undefined {
  if ((error as { code?: unknown }).code === "RUN_NOT_FOUND") return undefined;
  throw error;
}
