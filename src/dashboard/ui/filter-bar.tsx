/** The row of filters above a list: the page's own filters, the agent, and the thread that a link asked for. */
import "./filter-bar.css";
import type { ComponentChildren } from "preact";
import { agents } from "../store/agents.ts";
import { shortId } from "./format.ts";
import { Select } from "./select.tsx";

interface Filter {
  /** Empty: any. */
  readonly agent: string;
  readonly thread: string;
}

interface Props {
  readonly filter: Filter;
  readonly onChange: (part: Partial<Filter>) => void;
  readonly children: ComponentChildren;
}

export function FilterBar({ filter: { agent, thread }, onChange, children }: Props) {
  const agentIds = agents.value?.map(({ agent_id: id }) => id) ?? [];
  return (
    <form class="filters" aria-label="Filter" onSubmit={(event) => event.preventDefault()}>
      {children}
      <Select label="Agent" value={agent} options={agentIds} onChange={(chosen) => onChange({ agent: chosen })} />
      {thread !== "" && (
        <button type="button" class="chip" onClick={() => onChange({ thread: "" })}>
          Thread {shortId(thread)} <span class="chip-x">clear</span>
        </button>
      )}
    </form>
  );
}
