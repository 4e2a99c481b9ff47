/**
 * The runs that a person has ticked, by id: a run stays selected when its row is no longer shown. A run leaves it when
 * it ends. "All that match" is a second step, because it reaches runs that nobody has looked at.
 */
import { signal } from "@preact/signals";
import type { Activity, ActivityType } from "../../../core/activity.ts";
import type { Run } from "../../../core/run.ts";
import { MAX_PAGE_ROWS } from "../../../core/limits.ts";
import type { ListPage } from "../../live/list-page.ts";
import { ActivityWatch } from "../../live/activity-watch.ts";
import type { Services } from "../../live/services.ts";
import { IN_FLIGHT, toQuery, type RunFilter } from "./run-filter.ts";

/** Maximum of selected runs. If more runs match, the page says so, and they are not selected. */
export const MAX_CHOSEN = 5_000;
const ENDS: ReadonlySet<ActivityType> = new Set(["run.completed", "run.failed", "run.canceled"]);
const UNDER_WAY = [IN_FLIGHT, "queued"] as const;

export class RunSelection {
  readonly chosen = signal<ReadonlySet<string>>(new Set());
  /** All running runs that match the filter; null until they were requested. */
  readonly matching = signal<readonly string[] | null>(null);
  readonly #services: Services;
  readonly #filter: RunFilter;
  readonly #watch: ActivityWatch;
  /** Counts selections, so that a late answer for an earlier selection is ignored. */
  #choices = 0;

  constructor(services: Services, filter: RunFilter) {
    this.#services = services;
    this.#filter = filter;
    this.#watch = new ActivityWatch(services.live, {
      onActivity: (activity) => this.#onActivity(activity),
      onMissed: () => {},
    });
  }

  start(): void {
    this.#watch.start();
  }

  stop(): void {
    this.#watch.stop();
  }

  toggle(runId: string): void {
    const next = new Set(this.chosen.value);
    if (!next.delete(runId) && next.size < MAX_CHOSEN) next.add(runId);
    this.#choose(next);
  }

  /** Selects the shown rows; then all other matches are looked up, so that the page can offer them. */
  chooseShown(runIds: readonly string[]): void {
    this.#choose(new Set(runIds.slice(0, MAX_CHOSEN)));
    const choice = this.#choices;
    void this.#findMatching().then(
      (ids) => {
        if (choice === this.#choices) this.matching.value = ids;
      },
      // Then nothing more is offered; the shown rows are still selected.
      () => {},
    );
  }

  chooseMatching(): void {
    const ids = this.matching.value;
    if (ids) this.#choose(new Set(ids));
  }

  clear(): void {
    this.#choose(new Set());
  }

  #choose(chosen: ReadonlySet<string>): void {
    this.#choices += 1;
    this.matching.value = null;
    this.chosen.value = chosen;
  }

  #onActivity({ type, run_id: runId }: Activity): void {
    if (!runId || !ENDS.has(type) || !this.chosen.value.has(runId)) return;
    const rest = new Set(this.chosen.value);
    rest.delete(runId);
    this.chosen.value = rest;
  }

  async #findMatching(): Promise<readonly string[]> {
    const { status } = this.#filter;
    if (status === "running" || status === "parked") return this.#idsWith(this.#filter, MAX_CHOSEN);
    const ids: string[] = [];
    for (const each of UNDER_WAY) {
      if (status !== "" && status !== each) continue;
      ids.push(...(await this.#idsWith({ ...this.#filter, status: each }, MAX_CHOSEN - ids.length)));
    }
    return ids;
  }

  async #idsWith(filter: RunFilter, most: number): Promise<string[]> {
    const ids: string[] = [];
    let before: number | null | undefined = filter.before ?? undefined;
    while (before !== null && ids.length < most) {
      const query = toQuery(filter, { limit: Math.min(MAX_PAGE_ROWS, most - ids.length), before });
      const page: ListPage<"runs", Run> = await this.#services.api.get<ListPage<"runs", Run>>(`/api/runs?${query}`);
      ids.push(...page.runs.filter((run) => !run.cancel_requested).map(({ run_id: id }) => id));
      before = page.next;
    }
    return ids;
  }
}
