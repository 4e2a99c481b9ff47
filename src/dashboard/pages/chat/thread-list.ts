/**
 * The conversations in the sidebar, newest first. The newest are kept current by the activity feed, at most one request a
 * second; older ones are added page by page, and stay until they are deleted.
 */
import { signal } from "@preact/signals";
import { MAX_PAGE_ROWS } from "../../../core/limits.ts";
import type { Activity, ActivityType } from "../../../core/activity.ts";
import type { ListPage } from "../../live/list-page.ts";
import { ActivityWatch } from "../../live/activity-watch.ts";
import type { Problem } from "../../live/api-error.ts";
import { reportTo } from "../../live/report-to.ts";
import { OneAtATime } from "../../live/one-at-a-time.ts";
import { RefreshSoon } from "../../live/refresh-soon.ts";
import type { Services } from "../../live/services.ts";

export interface ThreadRow {
  readonly thread_id: string;
  readonly updated_at: number;
  readonly runs: number;
  /** The beginning of its first message. */
  readonly title: string;
}

const PAGE_ROWS = 30;
/** Bound of the list: a longer list would be slow to draw, and nobody reads it. */
const MAX_ROWS = 10_000;
/** Only these change what the list shows. */
const TELLING: ReadonlySet<ActivityType> = new Set([
  "run.queued",
  "run.completed",
  "run.failed",
  "run.canceled",
  "thread.deleted",
]);

export class ThreadList {
  readonly rows = signal<readonly ThreadRow[] | null>(null);
  readonly hasMore = signal(false);
  readonly error = signal<Problem | null>(null);
  readonly watch: ActivityWatch;
  readonly #api: Services["api"];
  #limit = PAGE_ROWS;
  /** Cursor of the conversations after the last row; null when there are none. */
  #next: number | null = null;
  /** True when older conversations were added after those of the newest page. */
  #isDeep = false;
  readonly #requests = new OneAtATime(() => this.#fetch());
  readonly #older = new OneAtATime(() => this.#fetchOlder());
  readonly #soon = new RefreshSoon(() => this.load());

  constructor({ api, live }: Services) {
    this.#api = api;
    this.watch = new ActivityWatch(live, {
      onActivity: (activity) => this.#onActivity(activity),
      onMissed: () => this.load(),
      onRestarted: () => this.#clear(),
    });
  }

  start(): void {
    this.watch.start();
  }

  stop(): void {
    this.watch.stop();
    this.#soon.stop();
  }

  retry(): void {
    this.stop();
    this.start();
  }

  load(): void {
    this.#requests.request();
  }

  loadMore(): void {
    if (this.#limit === MAX_PAGE_ROWS) return this.#older.request();
    this.#limit = Math.min(MAX_PAGE_ROWS, this.#limit * 2);
    this.load();
  }

  #onActivity({ type, detail }: Activity): void {
    if (type === "thread.deleted") this.#drop(detail["thread_id"]);
    if (TELLING.has(type)) this.#soon.request();
  }

  /** A server with other data has none of these conversations. */
  #clear(): void {
    this.#isDeep = false;
    this.rows.value = null;
  }

  #drop(threadId: unknown): void {
    this.rows.value = this.rows.value?.filter(({ thread_id: id }) => id !== threadId) ?? null;
  }

  async #fetch(): Promise<void> {
    this.#soon.noteRequest();
    await reportTo(this.error, async () => {
      const { threads, next } = await this.#get(`limit=${this.#limit}`);
      if (!this.#isDeep) this.#next = next;
      this.#show(this.#isDeep ? [...threads, ...this.#olderThan(threads)] : threads);
    });
  }

  async #fetchOlder(): Promise<void> {
    if (this.#next === null) return;
    const query = `limit=${MAX_PAGE_ROWS}&before=${this.#next}`;
    await reportTo(this.error, async () => {
      const { threads, next } = await this.#get(query);
      this.#next = next;
      this.#isDeep = true;
      const rows = this.rows.value ?? [];
      const known = idsOf(rows);
      this.#show([...rows, ...threads.filter(({ thread_id: id }) => !known.has(id))]);
    });
  }

  #get(query: string): Promise<ListPage<"threads", ThreadRow>> {
    return this.#api.get(`/api/threads?${query}`);
  }

  /**
   * Loaded rows behind the newest page. Conversations are in the order of their newest runs, so one that had no new run
   * keeps its place: the rows behind the last such row of the page are older than the page. (`updated_at` tells nothing
   * of the order, because a run that takes long changes it late.)
   */
  #olderThan(newest: readonly ThreadRow[]): ThreadRow[] {
    const rows = this.rows.value ?? [];
    const places = new Map(rows.map((row, place) => [stateOf(row), place]));
    const last = newest.findLast((row) => places.has(stateOf(row)));
    const from = last === undefined ? 0 : (places.get(stateOf(last)) ?? 0) + 1;
    const known = idsOf(newest);
    return rows.slice(from).filter(({ thread_id: id }) => !known.has(id));
  }

  #show(rows: readonly ThreadRow[]): void {
    this.rows.value = rows.slice(0, MAX_ROWS);
    this.hasMore.value = this.#next !== null && rows.length < MAX_ROWS;
  }
}

/** Changes with each new run of the conversation. */
function stateOf({ thread_id: id, runs }: ThreadRow): string {
  return `${runs} ${id}`;
}

function idsOf(rows: readonly ThreadRow[]): Set<string> {
  return new Set(rows.map(({ thread_id: id }) => id));
}
