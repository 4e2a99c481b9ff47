/**
 * The runs that a run delegated, at all depths, and their total usage. Read when the journal shows delegated runs, and
 * again while they work, at most once every two seconds. Bound: MAX_DELEGATED_RUNS below one run.
 */
import { signal } from "@preact/signals";
import { addUsage, MAX_DELEGATED_RUNS, NO_USAGE, type Run } from "../../../core/run.ts";
import type { ListPage } from "../../live/list-page.ts";
import { OneAtATime } from "../../live/one-at-a-time.ts";
import type { Services } from "../../live/services.ts";
import { tokensIn } from "../../../core/spending.ts";
import { costOf, priceOf } from "../../run-view/cost.ts";
import type { AgentInfo } from "../../store/agents.ts";

const REFRESH_MS = 2_000;

export class RunFamily {
  /** Empty until the runs have arrived; the run itself is not included. */
  readonly runs = signal<readonly Run[]>([]);
  readonly #api: Services["api"];
  readonly #runId: string;
  readonly #requests = new OneAtATime(() => this.#fetch());

  constructor({ api }: Services, runId: string) {
    this.#api = api;
    this.#runId = runId;
  }

  /** Reads them now; if the run is not over, also again and again. @returns a function that ends this */
  follow(isOver: boolean): (() => void) | undefined {
    this.#requests.request();
    if (isOver) return undefined;
    const timer = setInterval(() => document.hidden || this.#requests.request(), REFRESH_MS);
    return () => clearInterval(timer);
  }

  async #fetch(): Promise<void> {
    try {
      const found: Run[] = [];
      for (let parents = [this.#runId]; parents.length > 0 && found.length < MAX_DELEGATED_RUNS;) {
        const pages = await Promise.all(parents.map((id) => this.#childrenOf(id)));
        const children = pages.flat();
        found.push(...children);
        // A run without a step has delegated nothing yet.
        parents = children.filter(({ steps }) => steps > 0).map(({ run_id: id }) => id);
      }
      this.runs.value = found;
    } catch {
      // The sums stay unchanged; the next change of the run causes another request.
    }
  }

  async #childrenOf(runId: string): Promise<readonly Run[]> {
    const query = new URLSearchParams({ parent_run_id: runId, limit: String(MAX_DELEGATED_RUNS) });
    return (await this.#api.get<ListPage<"runs", Run>>(`/api/runs?${query}`)).runs;
  }
}

export function usageOfAll(runs: readonly Pick<Run, "usage">[]): Run["usage"] {
  return runs.reduce((sum, { usage }) => addUsage(sum, usage), NO_USAGE);
}

export interface CostOfAll {
  /** Undefined when no run that used tokens has a price. */
  readonly known: number | undefined;
  /** The agents that used tokens and have no price: `known` leaves them out. */
  readonly unpriced: readonly string[];
}

/** A run without tokens costs nothing, whatever its price. */
export function costOfAll(
  runs: readonly Pick<Run, "usage" | "agent_id">[],
  agents: readonly AgentInfo[] | null,
): CostOfAll {
  const used = runs.filter(({ usage }) => tokensIn(usage) > 0);
  const costs = used.map(({ usage, agent_id: agentId }) => costOf(usage, priceOf(agentId, agents)));
  const priced = costs.filter((cost) => cost !== undefined);
  const unpriced = new Set(used.filter((_, index) => costs[index] === undefined).map(({ agent_id: id }) => id));
  const isUnknown = used.length > 0 && priced.length === 0;
  return { known: isUnknown ? undefined : priced.reduce((sum, cost) => sum + cost, 0), unpriced: [...unpriced] };
}
