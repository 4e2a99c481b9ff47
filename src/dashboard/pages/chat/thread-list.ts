/** The conversations in the sidebar, newest first. Kept current by the activity feed, at most one request a second. */
import { signal } from "@preact/signals";
import type { ActivityType } from "../../../core/activity.ts";
import { ActivityWatch } from "../../live/activity-watch.ts";
import { problemOf, type Problem } from "../../live/api-error.ts";
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
/** What one request gives at most, and so what is kept current. */
const MAX_ROWS = 500;
/** Only these change what the list shows. */
const TELLING: ReadonlySet<ActivityType> = new Set([
  "run.queued",
  "run.completed",
  "run.failed",
  "run.canceled",
  "thread.deleted",
]);

interface Page {
  readonly threads: readonly ThreadRow[];
  readonly next: number | null;
}

export class ThreadList {
  readonly rows = signal<readonly ThreadRow[] | null>(null);
  readonly hasMore = signal(false);
  readonly error = signal<Problem | null>(null);
  readonly watch: ActivityWatch;
  readonly #api: Services["api"];
  #limit = PAGE_ROWS;
  readonly #requests = new OneAtATime(() => this.#fetch());
  readonly #soon = new RefreshSoon(() => this.load());

  constructor({ api, live }: Services) {
    this.#api = api;
    this.watch = new ActivityWatch(live, {
      onActivity: ({ type }) => TELLING.has(type) && this.#soon.request(),
      onMissed: () => this.load(),
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
    this.#limit = Math.min(MAX_ROWS, this.#limit * 2);
    this.load();
  }

  async #fetch(): Promise<void> {
    this.#soon.noteRequest();
    try {
      const { threads, next } = await this.#api.get<Page>(`/api/threads?limit=${this.#limit}`);
      this.rows.value = threads;
      this.hasMore.value = next !== null && this.#limit < MAX_ROWS;
      this.error.value = null;
    } catch (error) {
      this.error.value = problemOf(error);
    }
  }
}
