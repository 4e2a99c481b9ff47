/**
 * The activity feed as a window into the journal of the whole server: newest first, without holes. New activities come
 * over the live subscription, older ones page by page. Activities that arrive while the reader looks elsewhere are held
 * back.
 */
import { DEFAULT_PAGE_ROWS } from "../../../core/limits.ts";
import { signal } from "@preact/signals";
import type { Activity } from "../../../core/activity.ts";
import type { ListPage } from "../../live/list-page.ts";
import { ActivityWatch } from "../../live/activity-watch.ts";
import type { Problem } from "../../live/api-error.ts";
import { RefreshSoon } from "../../live/refresh-soon.ts";
import { reportTo } from "../../live/report-to.ts";
import type { Services } from "../../live/services.ts";
import { fits, toQuery, type FeedFilter } from "./filter.ts";

/**
 * Bound of the shown activities, and also of the held ones. At the bound new activities push out the oldest, which can
 * be fetched again. Paging back ends at the bound; a link continues from there with an empty window.
 */
export const MAX_ROWS = 1_000;
/**
 * Activities that a live feed keeps while nobody reads further down; older ones are fetched again when a reader scrolls
 * to them.
 */
export const LIVE_ROWS = 100;

export class ActivityFeed {
  readonly filter: FeedFilter;
  readonly rows = signal<readonly Activity[] | null>(null);
  /** The number of newer activities that are held back. */
  readonly held = signal(0);
  /** Cursor of the next page; null at the end. */
  readonly next = signal<number | null>(null);
  readonly isLoadingOlder = signal(false);
  readonly error = signal<Problem | null>(null);
  /** Why the last older page did not arrive; the shown rows have no hole without it. */
  readonly olderError = signal<Problem | null>(null);
  readonly watch: ActivityWatch;
  readonly #api: Services["api"];
  /** Newest first. Live activities wait here until the first page has arrived. */
  #waiting: Activity[] = [];
  #isHolding = false;
  /** The feed was started again: the shown rows stay, if the newest page joins them. */
  #isReturning = false;
  /** Aborts the requests under way: a reload ends them, because an old page would replace newer rows. */
  #abort = new AbortController();
  /**
   * New activities are shown together, once a second. [At 30 a second, four drawings a second of 200 rows took half a
   * core.]
   */
  readonly #soon = new RefreshSoon(() => {
    this.#soon.noteRequest();
    this.#take();
  });

  constructor({ api, live }: Services, filter: FeedFilter) {
    this.#api = api;
    this.filter = filter;
    this.watch = new ActivityWatch(live, {
      onActivity: (activity) => this.#onActivity(activity),
      onMissed: () => this.reload(),
      onRestarted: () => this.#clear(),
    });
  }

  /** Continues with its activities if it was stopped before. */
  start(): void {
    this.#isReturning = this.rows.value !== null;
    // A window into the past has all its activities already.
    if (this.#isReturning && this.filter.before !== null) return;
    // A window into the past does not change. An activity that arrives while the page is under way comes twice and is
    // merged by seq.
    if (this.filter.before === null) this.watch.start();
    else this.reload();
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

  reload(): void {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.olderError.value = null;
    void reportTo(
      this.error,
      async () => {
        const page = await this.#get(this.filter.before);
        if (this.#isReturning && isJoined(page, this.rows.value)) this.#await(page.activities);
        else this.#begin(page);
        this.#isReturning = false;
        this.#take();
      },
      this.#abort.signal,
    );
  }

  /** True while the reader has paused or reads further down, so that nothing may move. */
  hold(isHolding: boolean): void {
    this.#isHolding = isHolding;
    if (!isHolding) this.#take();
  }

  /** Shows the activities that were held back. */
  release(): void {
    this.#merge();
  }

  loadOlder(): void {
    const before = this.next.value;
    if (before === null || this.isLoadingOlder.value || this.isFull) return;
    this.isLoadingOlder.value = true;
    this.olderError.value = null;
    void reportTo(
      this.olderError,
      async () => {
        const { activities, next } = await this.#get(before);
        // Newer activities have pushed out the oldest rows meanwhile, so the page no longer joins them.
        if (this.next.value !== before) return;
        this.rows.value = [...(this.rows.value ?? []), ...activities];
        this.next.value = next;
      },
      this.#abort.signal,
    ).finally(() => (this.isLoadingOlder.value = false));
  }

  get isFull(): boolean {
    return (this.rows.value?.length ?? 0) >= MAX_ROWS;
  }

  #begin({ activities, next }: ListPage<"activities", Activity>): void {
    this.rows.value = activities;
    this.next.value = next;
  }

  /** Activities from the time when the page was away wait like live ones. */
  #await(activities: readonly Activity[]): void {
    const bySeq = new Map([...activities, ...this.#waiting].map((activity) => [activity.seq, activity]));
    this.#waiting = [...bySeq.values()].toSorted((a, b) => b.seq - a.seq);
  }

  #onActivity(activity: Activity): void {
    if (activity.type === "thread.deleted") this.#forget(activity.detail["thread_id"]);
    if (!fits(activity, this.filter)) return;
    this.#waiting.unshift(activity);
    if (this.#waiting.length > MAX_ROWS) this.#waiting.pop();
    this.#soon.request();
  }

  /** The server has deleted the activities of a deleted thread too. */
  #forget(threadId: unknown): void {
    const rest = (activity: Activity) => activity.thread_id === null || activity.thread_id !== threadId;
    this.#waiting = this.#waiting.filter(rest);
    this.rows.value = this.rows.value?.filter(rest) ?? null;
  }

  /**
   * The activities of a server with other data count from 1 again. Beside the present ones they would look old and be
   * left out.
   */
  #clear(): void {
    this.#abort.abort();
    this.#waiting = [];
    this.held.value = 0;
    this.next.value = null;
    this.rows.value = null;
  }

  #take(): void {
    if (!this.rows.value) return;
    if (this.#isHolding) this.held.value = newer(this.#waiting, this.rows.value).length;
    else this.#merge();
  }

  #merge(): void {
    const rows = this.rows.value;
    if (!rows) return;
    const fresh = newer(this.#waiting, rows);
    const isOverrun = this.#waiting.length === MAX_ROWS;
    this.#waiting = [];
    this.held.value = 0;
    if (fresh.length === 0) return;
    // More activities came than the feed can hold, so some are lost; only the new ones have no holes.
    const merged = isOverrun ? fresh : [...fresh, ...rows];
    const shown = merged.slice(0, LIVE_ROWS);
    if (merged.length > LIVE_ROWS || isOverrun) this.next.value = shown.at(-1)?.seq ?? null;
    this.rows.value = shown;
  }

  async #get(before: number | null): Promise<ListPage<"activities", Activity>> {
    const { signal } = this.#abort;
    const query = toQuery(this.filter, { limit: DEFAULT_PAGE_ROWS, before });
    const page = await this.#api.get<ListPage<"activities", Activity>>(`/api/activities?${query}`, { signal });
    signal.throwIfAborted();
    return page;
  }
}

/** A page tells of everything from its `next` on, also when nothing of that fits the filter. */
function isJoined({ next }: ListPage<"activities", Activity>, rows: readonly Activity[] | null): boolean {
  const newest = rows?.[0]?.seq;
  return newest !== undefined && (next === null || next <= newest);
}

function newer(waiting: readonly Activity[], rows: readonly Activity[]): Activity[] {
  const newest = rows[0]?.seq ?? 0;
  return waiting.filter(({ seq }) => seq > newest);
}
