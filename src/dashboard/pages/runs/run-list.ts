/**
 * The runs that the page shows, newest first. Activities update the state of a shown run at once, and at most one
 * request a second fetches the changed rows. A held list keeps its rows: new runs wait, and a run that no longer fits
 * the filter keeps its place, until nobody works in the list.
 */
import { signal } from "@preact/signals";
import type { Activity, ActivityType } from "../../../core/activity.ts";
import { DEFAULT_PAGE_ROWS, MAX_PAGE_ROWS } from "../../../core/limits.ts";
import { isOver, type Run } from "../../../core/run.ts";
import type { ListPage } from "../../live/list-page.ts";
import { ActivityWatch } from "../../live/activity-watch.ts";
import type { Problem } from "../../live/api-error.ts";
import { OneAtATime } from "../../live/one-at-a-time.ts";
import { reportTo } from "../../live/report-to.ts";
import { RefreshSoon } from "../../live/refresh-soon.ts";
import type { Services } from "../../live/services.ts";
import { OncePerFrame } from "../../ui/next-frame.ts";
import { hasStatus, mayConcern, toQuery, withNews, type RunFilter } from "./run-filter.ts";

/**
 * Maximum number of rows of one window. At the bound a link opens a new window that continues there, so that paging has
 * no end.
 */
export const MAX_ROWS = 1_000;
export const PAGE_ROWS = DEFAULT_PAGE_ROWS;
/** At most this many runs are fetched one by one in a second; other changed runs wait for the next second. */
const MAX_SINGLES = 8;
/** Activities that change only the number of steps in a row. */
const SILENT: ReadonlySet<ActivityType> = new Set(["notice", "tool.called", "tool.finished"]);

export class RunList {
  readonly filter: RunFilter;
  readonly rows = signal<readonly Run[] | null>(null);
  /** The number of new runs that wait. Above PAGE_ROWS the exact number is not known. */
  readonly held = signal(0);
  /** Cursor of the next page; null at the end. */
  readonly next = signal<number | null>(null);
  readonly isLoadingOlder = signal(false);
  readonly error = signal<Problem | null>(null);
  /** Why the last older page did not arrive; the shown rows have no hole without it. */
  readonly olderError = signal<Problem | null>(null);
  readonly watch: ActivityWatch;
  readonly #api: Services["api"];
  /** The rows to show at the next frame. */
  #shown: readonly Run[] = [];
  /** The newest page, while some of its rows are held back. */
  #head: ListPage<"runs", Run> | null = null;
  #isHolding = false;
  /** Ids of shown runs that have changed since they were fetched. */
  readonly #changed = new Set<string>();
  /** True when a run that is not shown has changed, because it may now belong into the list. */
  #isHeadStale = false;
  #abort = new AbortController();
  readonly #requests = new OneAtATime(() => this.#fetchNews());
  readonly #soon = new RefreshSoon(() => this.#requests.request());
  readonly #frame = new OncePerFrame(() => (this.rows.value = this.#shown));

  constructor({ api, live }: Services, filter: RunFilter) {
    this.#api = api;
    this.filter = filter;
    this.watch = new ActivityWatch(live, {
      onActivity: (activity) => this.#onActivity(activity),
      onMissed: () => this.#onMissed(),
      onRestarted: () => this.#clear(),
    });
  }

  /** Continues with its rows if it was stopped before. */
  start(): void {
    if (this.#abort.signal.aborted) this.#abort = new AbortController();
    this.watch.start();
  }

  stop(): void {
    this.watch.stop();
    this.#abort.abort();
    this.#soon.stop();
    this.#frame.stop();
    this.isLoadingOlder.value = false;
  }

  retry(): void {
    this.stop();
    this.start();
  }

  /** True while somebody works in the list, so that no row may move. */
  hold(isHolding: boolean): void {
    this.#isHolding = isHolding;
    if (!isHolding) this.release();
  }

  /** Shows the waiting runs, whether the list is held or not. */
  release(): void {
    if (this.rows.value === null) return;
    const fitting = this.#shown.filter((run) => this.#fits(run));
    const head = this.#head;
    this.#head = null;
    this.held.value = 0;
    if (!head) return this.#show(fitting);
    const merged = merge(head.runs, fitting);
    if (merged && merged.length <= MAX_ROWS) return this.#show(merged);
    this.next.value = head.next;
    this.#show(head.runs);
  }

  loadOlder(): void {
    const before = this.next.value;
    if (before === null || this.isLoadingOlder.value || this.isFull) return;
    this.isLoadingOlder.value = true;
    this.olderError.value = null;
    void reportTo(
      this.olderError,
      async () => {
        const { runs, next } = await this.#get({ limit: PAGE_ROWS, before });
        // The newest page has taken the place of the rows meanwhile, so this page does not join it.
        if (this.next.value !== before) return;
        const known = idsOf(this.#shown);
        this.next.value = next;
        this.#show([...this.#shown, ...runs.filter(({ run_id: id }) => !known.has(id))]);
      },
      this.#abort.signal,
    ).finally(() => (this.isLoadingOlder.value = false));
  }

  get isFull(): boolean {
    return (this.rows.value?.length ?? 0) >= MAX_ROWS;
  }

  /** The runs were asked to end, so fetch their states. */
  refresh(runIds: readonly string[]): void {
    const shown = idsOf(this.#shown);
    for (const id of runIds) if (shown.has(id)) this.#changed.add(id);
    this.#soon.request();
  }

  #onActivity(activity: Activity): void {
    const { type, run_id: runId, detail } = activity;
    if (type === "thread.deleted")
      return this.#show(this.#shown.filter((run) => run.thread_id !== detail["thread_id"]));
    if (SILENT.has(type) || !runId || !mayConcern(this.filter, activity)) return;
    const row = this.#shown.find((run) => run.run_id === runId);
    if (row) this.#change(row, withNews(row, activity));
    else this.#isHeadStale = true;
    this.#soon.request();
  }

  #onMissed(): void {
    for (const run of this.#shown) if (!isOver(run.status)) this.#changed.add(run.run_id);
    this.#isHeadStale = true;
    this.#requests.request();
  }

  #change(row: Run, run: Run): void {
    this.#changed.add(row.run_id);
    this.#replace(new Map([[run.run_id, run]]));
  }

  /** Replaces each row in its place; a run that no longer fits the filter is removed, unless the list is held. */
  #replace(news: ReadonlyMap<string, Run>): void {
    const rows = this.#shown.map((run) => newer(run, news.get(run.run_id)));
    this.#show(this.#isHolding ? rows : rows.filter((run) => this.#fits(run)));
  }

  #show(rows: readonly Run[]): void {
    this.#shown = rows;
    if (this.rows.value === null) this.rows.value = rows;
    else this.#frame.request();
  }

  /** Agent and thread never change. */
  #fits(run: Run): boolean {
    return hasStatus(this.filter, run);
  }

  #clear(): void {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#changed.clear();
    this.#head = null;
    this.#shown = [];
    this.held.value = 0;
    this.next.value = null;
    this.rows.value = null;
  }

  async #fetchNews(): Promise<void> {
    this.#soon.noteRequest();
    await reportTo(
      this.error,
      async () => {
        if (this.rows.value === null) await this.#fetchFirst();
        else {
          if (this.#isHeadStale || this.#changed.size > MAX_SINGLES) await this.#fetchHead();
          await this.#fetchSingles();
        }
      },
      this.#abort.signal,
    );
    if (this.#changed.size > 0 && !this.error.value && !this.#abort.signal.aborted) this.#soon.request();
  }

  async #fetchFirst(): Promise<void> {
    this.#isHeadStale = false;
    this.#changed.clear();
    const { runs, next } = await this.#get({ limit: PAGE_ROWS, before: this.filter.before ?? undefined });
    this.next.value = next;
    this.#show(runs);
  }

  async #fetchHead(): Promise<void> {
    this.#isHeadStale = false;
    // With a filter by status an old run can enter the list; without such a filter, new runs are always the newest.
    const isDeep = this.filter.status !== "" || this.#changed.size > MAX_SINGLES;
    const limit = isDeep ? Math.min(MAX_PAGE_ROWS, Math.max(PAGE_ROWS, this.#shown.length)) : PAGE_ROWS;
    const { runs, next } = await this.#get({ limit, before: this.filter.before ?? undefined });
    for (const { run_id: id } of runs) this.#changed.delete(id);
    this.#replace(new Map(runs.map((run) => [run.run_id, run])));
    if (this.filter.before !== null) return;
    const known = idsOf(this.#shown);
    const fresh = runs.filter(({ run_id: id }) => !known.has(id));
    this.#head = fresh.length > 0 ? { runs, next } : null;
    if (this.#isHolding) this.held.value = fresh.length;
    else this.release();
  }

  async #fetchSingles(): Promise<void> {
    const ids = [...this.#changed].slice(0, MAX_SINGLES);
    const { signal: aborted } = this.#abort;
    for (const id of ids) {
      this.#changed.delete(id);
      const run = await this.#api.get<Run>(`/api/runs/${encodeURIComponent(id)}`, { signal: aborted }).catch(gone);
      aborted.throwIfAborted();
      if (run) this.#replace(new Map([[id, run]]));
      else this.#show(this.#shown.filter((row) => row.run_id !== id));
    }
  }

  async #get(page: { readonly limit: number; readonly before?: number | undefined }): Promise<ListPage<"runs", Run>> {
    const { signal: aborted } = this.#abort;
    const answer = await this.#api.get<ListPage<"runs", Run>>(`/api/runs?${toQuery(this.filter, page)}`, {
      signal: aborted,
    });
    aborted.throwIfAborted();
    return answer;
  }
}

/** @returns undefined when nothing of the newest page was shown: there may be more below it */
function merge(head: readonly Run[], rows: readonly Run[]): readonly Run[] | undefined {
  const shown = new Map(rows.map((run) => [run.run_id, run]));
  if (!head.some(({ run_id: id }) => shown.has(id))) return undefined;
  const inHead = idsOf(head);
  // A shown row may be newer than the fetched page.
  return [...head.map((run) => shown.get(run.run_id) ?? run), ...rows.filter(({ run_id: id }) => !inHead.has(id))];
}

/** A row that would look the same stays the same object, and is not drawn again. */
function newer(row: Run, run: Run | undefined): Run {
  if (!run || run.status !== row.status || run.cancel_requested !== row.cancel_requested) return run ?? row;
  if (run.waiting?.reason !== row.waiting?.reason) return run;
  const isSame = run.finished_at === row.finished_at && run.usage.output_tokens === row.usage.output_tokens;
  return isSame && run.started_at === row.started_at ? row : run;
}

function idsOf(runs: readonly Run[]): Set<string> {
  return new Set(runs.map(({ run_id: id }) => id));
}

/** The run was deleted with its thread. */
function gone(error: unknown): undefined {
  if ((error as { code?: unknown }).code === "RUN_NOT_FOUND") return undefined;
  throw error;
}
