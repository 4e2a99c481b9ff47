/**
 * The activity feed as a window into the journal of the whole server: newest first, without holes. New ones come
 * by the live subscription, older ones page by page. What arrives while the reader looks elsewhere is held back.
 */
import { signal } from "@preact/signals";
import type { Activity } from "../../../core/activity.ts";
import { getJson } from "../../live/api.ts";
import { subscribe } from "../../live/live.ts";
import { OncePerFrame } from "../../run-view/frame.ts";
import { fits, toQuery, type FeedFilter } from "./filter.ts";

/**
 * Activities in memory, and the same number held back. At the bound new ones push out the oldest, which can be
 * fetched again; paging back ends there, and a link goes on from that point with an empty window.
 */
export const MAX_ROWS = 1_000;
const PAGE_ROWS = 50;

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
  readonly error = signal<unknown>(null);
  /** Newest first. Before the first page has come, all that is live waits here. */
  #waiting: Activity[] = [];
  #isHolding = false;
  #unsubscribe: (() => void) | undefined;
  #abort = new AbortController();
  readonly #frame = new OncePerFrame(() => this.#take());

  constructor(filter: FeedFilter) {
    this.filter = filter;
  }

  start(): void {
    this.#abort = new AbortController();
    // A window into the past stands still.
    if (this.filter.before === null) {
      // First the subscription, then the page: what comes between the two comes twice, and is merged by seq.
      this.#unsubscribe = subscribe({ channel: "activities" }, { onEvent: (event) => this.#onEvent(event) });
    }
    this.reload();
  }

  stop(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#abort.abort();
    this.#frame.stop();
  }

  reload(): void {
    void this.#request(async () => {
      const { activities, next } = await this.#get(this.filter.before);
      this.rows.value = activities;
      this.hasOlder.value = next !== null;
      this.isFull.value = false;
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
    void this.#request(async () => {
      const { activities, next } = await this.#get(last.seq);
      const rows = this.rows.value ?? [];
      // Pushed out by newer ones meanwhile: the page does not follow any more.
      if (rows.at(-1)?.seq !== last.seq) return;
      this.rows.value = [...rows, ...activities];
      this.hasOlder.value = next !== null;
      this.isFull.value = next !== null && this.rows.value.length >= MAX_ROWS;
    }).finally(() => (this.isLoadingOlder.value = false));
  }

  #onEvent(event: unknown): void {
    const activity = event as Partial<Activity>;
    // A gap: what is shown no longer follows what comes.
    if (activity.seq === undefined) return this.reload();
    if (activity.type === "thread.deleted") this.#forget(activity.detail?.["thread_id"]);
    if (!fits(activity as Activity, this.filter)) return;
    this.#waiting.unshift(activity as Activity);
    if (this.#waiting.length > MAX_ROWS) this.#waiting.pop();
    this.#frame.request();
  }

  /** Those of a deleted thread are gone on the server too. */
  #forget(threadId: unknown): void {
    const rest = (activity: Activity) => activity.thread_id === null || activity.thread_id !== threadId;
    this.#waiting = this.#waiting.filter(rest);
    this.rows.value = this.rows.value?.filter(rest) ?? null;
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
    if (merged.length > MAX_ROWS || isOverrun) this.hasOlder.value = true;
    this.rows.value = merged.slice(0, MAX_ROWS);
    this.isFull.value = false;
  }

  #get(before: number | null): Promise<Page> {
    return getJson<Page>(`/api/activities?${toQuery(this.filter, { limit: PAGE_ROWS, before })}`, this.#abort.signal);
  }

  async #request(work: () => Promise<void>): Promise<void> {
    const { signal: aborted } = this.#abort;
    try {
      await work();
      this.error.value = null;
    } catch (error) {
      if (!aborted.aborted) this.error.value = error;
    }
  }
}

function newer(waiting: readonly Activity[], rows: readonly Activity[]): Activity[] {
  const newest = rows[0]?.seq ?? 0;
  return waiting.filter(({ seq }) => seq > newest);
}
