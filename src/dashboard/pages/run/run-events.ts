/** The journal of a run as it is stored, page by page from its beginning, for people who look into it. */
import { signal } from "@preact/signals";
import type { ListPage } from "../../live/list-page.ts";
import { problemOf, type Problem } from "../../live/api-error.ts";
import type { Services } from "../../live/services.ts";

const PAGE_EVENTS = 100;

export interface JournalRow {
  readonly seq: number;
  readonly type: string;
  readonly timestamp: number;
  readonly [field: string]: unknown;
}

export class RunEvents {
  /** Grows by a page with each click of a person. */
  readonly rows = signal<readonly JournalRow[]>([]);
  readonly isLoading = signal(false);
  readonly error = signal<Problem | null>(null);
  readonly #api: Services["api"];
  readonly #runId: string;
  readonly #hasNext = signal(true);

  constructor({ api }: Services, runId: string) {
    this.#api = api;
    this.#runId = runId;
  }

  /** @param lastSeq the newest event that the page knows: the journal may have grown since its last page was read */
  hasMore(lastSeq: number): boolean {
    return this.#hasNext.value || (this.rows.value.at(-1)?.seq ?? 0) < lastSeq;
  }

  loadMore(): void {
    if (this.isLoading.value) return;
    this.isLoading.value = true;
    this.error.value = null;
    const after = this.rows.value.at(-1)?.seq ?? 0;
    this.#api
      .get<ListPage<"events", JournalRow>>(
        `/api/runs/${encodeURIComponent(this.#runId)}/events?after=${after}&limit=${PAGE_EVENTS}`,
      )
      .then(
        ({ events, next }) => {
          this.rows.value = [...this.rows.value, ...events];
          this.#hasNext.value = next !== null;
        },
        (error: unknown) => (this.error.value = problemOf(error)),
      )
      .finally(() => (this.isLoading.value = false));
  }
}
