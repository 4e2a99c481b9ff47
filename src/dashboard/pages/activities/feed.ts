/**
 * The activity feed as a window into the journal of the whole server: newest first, without holes. New ones come
 * by the live subscription, older ones page by page. What arrives while the reader looks elsewhere is held back.
 */
import { DEFAULT_PAGE_ROWS } from "../../../core/limits.ts";
import { signal, type Signal } from "@preact/signals";
import type { Activity } from "../../../core/activity.ts";
import { ActivityWatch } from "../../live/activity-watch.ts";
import { problemOf, type Problem } from "../../live/api-error.ts";
import { RefreshSoon } from "../../live/refresh-soon.ts";
import type { Services } from "../../live/services.ts";
import { fits, toQuery, type FeedFilter } from "./filter.ts";

/**
 * Activities in memory, and the same number held back. At the bound new ones push out the oldest, which can be
 * fetched again; paging back ends there, and a link goes on from that point with an empty window.
 */
export const MAX_ROWS = 1_000;
/** A live feed that nobody reads further down keeps no more than these; older ones are fetched again when they are looked for. */
export const LIVE_ROWS = 100;

interface Page {
  readonly activities: readonly Activity[];
  readonly next: number | null;
}

export class ActivityFeed {
  readonly filter: FeedFilter;
  readonly rows = signal<readonly Activity[] | null>(null);
  /** How many newer ones are held back. */
  readonly held = signal(0);
  readonly hasOlder = signal(false);
  readonly isFull = signal(false);
  readonly isLoadingOlder = signal(false);
  readonly error = signal<Problem | null>(null);
  /** Why the last page back did not come; what is shown is whole without it. */
  readonly olderError = signal<Problem | null>(null);
  readonly watch: ActivityWatch;
  readonly #api: Services["api"];
  /** Newest first. Before the first page has come, all that is live waits here. */
  #waiting: Activity[] = [];
  #isHolding = false;
  /** Started again: what is shown stays, if the newest page joins it. */
  #isReturning = false;
  /** Of what is under way: a reload ends it, because it would come over what is newer. */
  #abort = new AbortController();
  /** New ones are shown together, once a second. [At 30 a second, four drawings a second of 200 rows took half a core.] */
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

  /** Goes on with what it has when it was stopped before. */
  start(): void {
    this.#isReturning = this.rows.value !== null;
    // A window into the past has all that belongs to it.
    if (this.#isReturning && this.filter.before !== null) return;
    // A window into the past stands still. What comes while the page is under way comes twice, and is merged by seq.
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
    void this.#request(this.error, async () => {
      const page = await this.#get(this.filter.before);
      if (this.#isReturning && isJoined(page, this.rows.value)) this.#await(page.activities);
      else this.#begin(page);
      this.#isReturning = false;
      this.#take();
    });
  }

  /** Held: the reader has paused, or reads further down, and nothing may move. */
  hold(isHolding: boolean): void {
    this.#isHolding = isHolding;
    if (!isHolding) this.#take();
  }

  /** Shows what was held back. */
  release(): void {
    this.#merge();
  }

  loadOlder(): void {
    const last = this.rows.value?.at(-1);
    if (!last || !this.hasOlder.value || this.isLoadingOlder.value || this.isFull.value) return;
    this.isLoadingOlder.value = true;
    this.olderError.value = null;
    void this.#request(this.olderError, async () => {
      const { activities, next } = await this.#get(last.seq);
      const rows = this.rows.value ?? [];
      // Pushed out by newer ones meanwhile: the page does not follow any more.
      if (rows.at(-1)?.seq !== last.seq) return;
      this.rows.value = [...rows, ...activities];
      this.hasOlder.value = next !== null;
      this.isFull.value = next !== null && this.rows.value.length >= MAX_ROWS;
    }).finally(() => (this.isLoadingOlder.value = false));
  }

  #begin({ activities, next }: Page): void {
    this.rows.value = activities;
    this.hasOlder.value = next !== null;
    this.isFull.value = false;
  }

  /** What came while nobody looked waits like what comes live. */
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

  /** Another server's activities count from 1 again: beside these they would look old, and be left out. */
  #clear(): void {
    this.#abort.abort();
    this.#waiting = [];
    this.held.value = 0;
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
    // Overrun while held, some were lost in between: only the new ones are without holes.
    const merged = isOverrun ? fresh : [...fresh, ...rows];
    if (merged.length > LIVE_ROWS || isOverrun) this.hasOlder.value = true;
    this.rows.value = merged.slice(0, LIVE_ROWS);
    this.isFull.value = false;
  }

  async #get(before: number | null): Promise<Page> {
    const { signal } = this.#abort;
    const query = toQuery(this.filter, { limit: DEFAULT_PAGE_ROWS, before });
    const page = await this.#api.get<Page>(`/api/activities?${query}`, { signal });
    signal.throwIfAborted();
    return page;
  }

  async #request(error: Signal<Problem | null>, work: () => Promise<void>): Promise<void> {
    const { signal: aborted } = this.#abort;
    try {
      await work();
      error.value = null;
    } catch (failed) {
      if (!aborted.aborted) error.value = problemOf(failed);
    }
  }
}

function isJoined({ activities, next }: Page, rows: readonly Activity[] | null): boolean {
  const newest = rows?.[0]?.seq;
  return newest !== undefined && (next === null || (activities.at(-1)?.seq ?? 0) <= newest);
}

function newer(waiting: readonly Activity[], rows: readonly Activity[]): Activity[] {
  const newest = rows[0]?.seq ?? 0;
  return waiting.filter(({ seq }) => seq > newest);
}
