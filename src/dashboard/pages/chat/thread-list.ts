/** The conversations in the sidebar, newest first. Kept current by the activity feed, at most one request a second. */
import { signal } from "@preact/signals";
import type { Activity, ActivityType } from "../../../core/activity.ts";
import { getJson } from "../../live/api.ts";
import { subscribe } from "../../live/live.ts";

export interface ThreadRow {
  readonly thread_id: string;
  readonly created_at: number;
  readonly updated_at: number;
  readonly runs: number;
  /** The beginning of its first message. */
  readonly title: string;
}

const PAGE_ROWS = 30;
/** What one request gives at most, and so what is kept current. */
const MAX_ROWS = 500;
const REFRESH_EVERY_MS = 1_000;
/** Only these change what the list shows. */
const TELLING: ReadonlySet<ActivityType> = new Set(["run.queued", "run.completed", "run.failed", "thread.deleted"]);

interface Page {
  readonly threads: readonly ThreadRow[];
  readonly next: number | null;
}

export class ThreadList {
  readonly rows = signal<readonly ThreadRow[] | null>(null);
  readonly hasMore = signal(false);
  readonly error = signal<unknown>(null);
  #limit = PAGE_ROWS;
  #unsubscribe: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  start(): void {
    this.#unsubscribe = subscribe(
      { channel: "activities" },
      {
        onEvent: (event) => {
          const { type } = event as Partial<Activity>;
          if (type === undefined || TELLING.has(type)) this.#refreshSoon();
        },
      },
    );
    this.load();
  }

  stop(): void {
    this.#unsubscribe?.();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  load(): void {
    getJson<Page>(`/api/threads?limit=${this.#limit}`).then(
      ({ threads, next }) => {
        this.rows.value = threads;
        this.hasMore.value = next !== null && this.#limit < MAX_ROWS;
        this.error.value = null;
      },
      (error: unknown) => (this.error.value = error),
    );
  }

  loadMore(): void {
    this.#limit = Math.min(MAX_ROWS, this.#limit * 2);
    this.load();
  }

  #refreshSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.load();
    }, REFRESH_EVERY_MS);
  }
}
