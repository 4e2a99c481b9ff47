/** Filters by status, agent and thread, written to the URL. */
import { RUN_STATUSES } from "../../../core/run.ts";
import { agents } from "../../agents.ts";
import { shortId } from "../../format.ts";
import { href, navigate } from "../../router.ts";
import { Select } from "../../run-view/select.tsx";
import type { RunFilter } from "./run-list.ts";

export function RunFilters({ filter }: { filter: RunFilter }) {
  const change = (part: Partial<RunFilter>) => {
    const entries = Object.entries({ ...filter, ...part }).filter(([, value]) => value !== "");
    navigate(href("runs", undefined, Object.fromEntries(entries)));
  };
  const agentIds = agents.value?.map(({ agent_id: id }) => id) ?? [];
  return (
    <form class="filters" aria-label="Filter" onSubmit={(event) => event.preventDefault()}>
      <Select label="Status" value={filter.status} options={RUN_STATUSES} onChange={(status) => change({ status })} />
      <Select label="Agent" value={filter.agent} options={agentIds} onChange={(agent) => change({ agent })} />
      {filter.thread !== "" && (
        <button type="button" class="chip" onClick={() => change({ thread: "" })}>
          Thread {shortId(filter.thread)} <span class="chip-x">clear</span>
        </button>
      )}
    </form>
  );
}
