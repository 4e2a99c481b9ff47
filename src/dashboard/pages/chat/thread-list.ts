/** The conversations in the sidebar, newest first. Kept current by the activity feed, at most one request a second. */
import { signal } from "@preact/signals";
import type { ActivityType } from "../../../core/activity.ts";
import { ActivityWatch } from "../../live/activity-watch.ts";
import { problemOf, type Problem } from "../../live/api-error.ts";
import { getJson } from "../../live/api.ts";
import { OneAtATime } from "../../live/one-at-a-time.ts";

export interface ThreadRow {
  readonly thread_id: string;
  readonly updated_at: number;
  readonly runs: number;
  /** The beginning of its first message. */
  readonly title: string;
}

const PAGE_ROWS = 30;
/** What one request gives at most, and so what is kept current. */
const MAX_ROWS = 500;
const REFRESH_EVERY_MS = 1_000;
/** So that the first of many changes does not fetch alone. */
const GATHER_MS = 150;
/** Only these change what the list shows. */
const TELLING: ReadonlySet<ActivityType> = new Set(["run.queued", "run.completed", "run.failed", "thread.deleted"]);

interface Page {
  readonly threads: readonly ThreadRow[];
  readonly next: number | null;
}

export class ThreadList {
  readonly rows = signal<readonly ThreadRow[] | null>(null);
  readonly hasMore = signal(false);
  readonly error = signal<Problem | null>(null);
  #limit = PAGE_ROWS;
  #requestedAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #requests = new OneAtATime(() => this.#fetch());
  readonly watch = new ActivityWatch({
    onActivity: ({ type }) => TELLING.has(type) && this.#refreshSoon(),
    onMissed: () => this.load(),
  });

  start(): void {
    this.watch.start();
    this.load();
  }

  stop(): void {
    this.watch.stop();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  retry(): void {
    this.stop();
    this.start();
  }

  load(): void {
    this.#requests.request();
  }

  loadMore(): void {
    this.#limit = Math.min(MAX_ROWS, this.#limit * 2);
    this.load();
  }

  async #fetch(): Promise<void> {
    this.#requestedAt = Date.now();
    try {
      const { threads, next } = await getJson<Page>(`/api/threads?limit=${this.#limit}`);
      this.rows.value = threads;
      this.hasMore.value = next !== null && this.#limit < MAX_ROWS;
      this.error.value = null;
    } catch (error) {
      this.error.value = problemOf(error);
    }
  }

  #refreshSoon(): void {
    const dueMs = Math.max(GATHER_MS, this.#requestedAt + REFRESH_EVERY_MS - Date.now());
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.load();
    }, dueMs);
  }
}
