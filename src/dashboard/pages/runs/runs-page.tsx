/** All runs, newest first, kept current; filters are in the URL, so that a list can be linked. */
import "./runs.css";
import { services } from "../../live/services.ts";
import { useStarted } from "../../live/use-started.ts";
import { href, navigate } from "../../router.ts";
import { hasPrices } from "../../run-view/cost.ts";
import { agents } from "../../store/agents.ts";
import { info } from "../../store/info.ts";
import { recall } from "../../store/places.ts";
import { Button } from "../../ui/button.tsx";
import { Empty } from "../../ui/empty.tsx";
import { ErrorNote } from "../../ui/error-note.tsx";
import { FilterBar } from "../../ui/filter-bar.tsx";
import { HeldPill } from "../../ui/held-pill.tsx";
import { Loading } from "../../ui/loading.tsx";
import { Older } from "../../ui/older.tsx";
import { Select } from "../../ui/select.tsx";
import { useHold } from "../../ui/use-hold.ts";
import type { PageProps } from "../addresses.ts";
import { CancelBar } from "./cancel-bar.tsx";
import { isFiltered, readFilter, STATUS_CHOICES, writeFilter, type RunFilter } from "./run-filter.ts";
import { PAGE_ROWS } from "./run-list.ts";
import { RunTable } from "./run-table.tsx";
import { RunsModel } from "./runs-model.ts";

export function RunsPage({ query = new URLSearchParams() }: Partial<PageProps>) {
  const model = useStarted(() => recall(() => new RunsModel(services, readFilter(query))), [query.toString()]);
  const { list, selection } = model;
  const { filter } = list;
  const { top, area } = useHold(list, selection.chosen.value.size > 0 || model.cancels.pending.value.size > 0);
  const change = (part: Partial<RunFilter>) => go({ ...filter, before: null, ...part });
  const error = list.watch.error.value ?? list.error.value;
  return (
    <>
      <Head filter={filter} onChange={change} />
      <div ref={top} class="held-top" aria-hidden="true" />
      <HeldPill held={list.held.value} most={PAGE_ROWS} what="runs" onShow={() => list.release()} />
      {error !== null && <ErrorNote error={error} onRetry={() => list.retry()} />}
      <div class="runs-area" {...area}>
        <Rows model={model} />
      </div>
      <CancelBar model={model} />
      <Older list={list} hrefOf={(before) => href("runs", undefined, writeFilter({ ...filter, before }))} />
    </>
  );
}

interface HeadProps {
  readonly filter: RunFilter;
  readonly onChange: (part: Partial<RunFilter>) => void;
}

function Head({ filter, onChange }: HeadProps) {
  const isPast = filter.before !== null;
  const isSimulated = info.value?.model.simulated === true;
  return (
    <>
      <header class="page-head">
        <h1>Runs</h1>
        {isPast && <p>A window into the past</p>}
        {isSimulated && hasPrices(agents.value) && <p>Costs are what a real model would have charged.</p>}
        {isPast && (
          <div class="page-actions">
            <Button onClick={() => onChange({})}>Back to the newest</Button>
          </div>
        )}
      </header>
      <FilterBar filter={filter} onChange={onChange}>
        <Select
          label="Status"
          value={filter.status}
          options={STATUS_CHOICES}
          onChange={(status) => onChange({ status })}
        />
        <label class="filter">
          <input
            type="checkbox"
            checked={filter.delegated}
            onChange={({ currentTarget }) => onChange({ delegated: currentTarget.checked })}
          />
          <span>Delegated runs too</span>
        </label>
      </FilterBar>
    </>
  );
}

function go(filter: RunFilter): void {
  navigate(href("runs", undefined, writeFilter(filter)));
}

function Rows({ model }: { model: RunsModel }) {
  const { list } = model;
  const rows = list.rows.value;
  if (!rows) return list.error.value === null ? <Loading what="Loading the runs" /> : null;
  if (rows.length === 0) return list.next.value === null ? <NoRuns filter={list.filter} /> : null;
  return <RunTable rows={rows} model={model} />;
}

function NoRuns({ filter }: { filter: RunFilter }) {
  if (isFiltered(filter)) return <Empty title="No runs fit the filter" />;
  return (
    <Empty title="No runs yet">
      <p>
        <a href={href("chat")}>Start a chat</a>, or POST to <code>{new URL("api/chat", location.href).pathname}</code>.
      </p>
    </Empty>
  );
}
