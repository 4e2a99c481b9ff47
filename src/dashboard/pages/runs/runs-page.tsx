/** All runs, newest first, kept current; filters are in the URL, so that a list can be linked. */
import "./runs.css";
import { useState } from "preact/hooks";
import { isOver, RUN_STATUSES } from "../../../core/run.ts";
import { agents } from "../../store/agents.ts";
import { info } from "../../store/info.ts";
import { problemOf, type Problem } from "../../live/api-error.ts";
import { services } from "../../live/services.ts";
import { useStarted } from "../../live/use-started.ts";
import { href, navigate } from "../../router.ts";
import { Ask } from "../../ui/ask.tsx";
import { hasPrices } from "../../run-view/cost.ts";
import { Button } from "../../ui/button.tsx";
import { Empty } from "../../ui/empty.tsx";
import { ErrorNote } from "../../ui/error-note.tsx";
import { Loading } from "../../ui/loading.tsx";
import { Select } from "../../ui/select.tsx";
import { FilterBar } from "../../ui/filter-bar.tsx";
import type { PageProps } from "../registry.ts";
import { MAX_ROWS, RunList, type RunFilter } from "./run-list.ts";
import { RunTable } from "./run-table.tsx";

/** No run is stored as waiting: one that is parked stays running, and only its journal says so. */
const FILTERS = RUN_STATUSES.filter((status) => status !== "waiting");

export function RunsPage({ query = new URLSearchParams() }: Partial<PageProps>) {
  const status = query.get("status") ?? "";
  const agent = query.get("agent") ?? "";
  const thread = query.get("thread") ?? "";
  const list = useStarted(() => new RunList(services, { status, agent, thread }), [status, agent, thread]);
  const change = (part: Partial<RunFilter>) => {
    const entries = Object.entries({ status, agent, thread, ...part }).filter(([, value]) => value !== "");
    navigate(href("runs", undefined, Object.fromEntries(entries)));
  };
  const error = list.watch.error.value ?? list.error.value;
  return (
    <>
      <header class="page-head">
        <h1>Runs</h1>
        {info.value?.model.simulated && hasPrices(agents.value) && (
          <p>Costs are what a real model would have charged.</p>
        )}
      </header>
      <FilterBar filter={{ agent, thread }} onChange={change}>
        <Select label="Status" value={status} options={FILTERS} onChange={(chosen) => change({ status: chosen })} />
      </FilterBar>
      {error !== null && <ErrorNote error={error} onRetry={() => list.retry()} />}
      <Rows
        key={`${status} ${agent} ${thread}`}
        list={list}
        isFiltered={status !== "" || agent !== "" || thread !== ""}
      />
    </>
  );
}

function Rows({ list, isFiltered }: { list: RunList; isFiltered: boolean }) {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const rows = list.rows.value;
  if (!rows) return list.error.value === null ? <Loading what="Loading the runs" /> : null;
  if (rows.length === 0) return <NoRuns isFiltered={isFiltered} />;
  // One that has ended, or is not shown any more, cannot be canceled: it falls out of the choice by itself.
  const cancelable = rows.filter((run) => !isOver(run.status) && !run.cancel_requested).map(({ run_id: id }) => id);
  const selected = cancelable.filter((id) => chosen.has(id));
  return (
    <>
      <RunTable rows={rows} cancelable={cancelable} selected={new Set(selected)} onSelect={setChosen} list={list} />
      <CancelBar list={list} selected={selected} onDone={() => setChosen(new Set())} />
      <footer class="runs-foot">
        {list.next.value !== null && (
          <Button busy={list.isLoadingMore.value} onClick={() => list.loadMore()}>
            Load more
          </Button>
        )}
        {rows.length >= MAX_ROWS && <p class="mute">The newest {MAX_ROWS} are shown; a filter finds older ones.</p>}
      </footer>
    </>
  );
}

function NoRuns({ isFiltered }: { isFiltered: boolean }) {
  if (isFiltered) return <Empty title="No runs fit the filter" />;
  return (
    <Empty title="No runs yet">
      <p>
        <a href="#/chat">Start a chat</a>, or POST to <code>/api/chat</code>.
      </p>
    </Empty>
  );
}

/** Below the table, which it would push away from the box that was just ticked. */
function CancelBar({ list, selected, onDone }: { list: RunList; selected: readonly string[]; onDone: () => void }) {
  const [isAsking, setAsking] = useState(false);
  const [error, setError] = useState<Problem | null>(null);
  const cancel = () => {
    setAsking(false);
    setError(null);
    list.cancel(selected).then(onDone, (failed: unknown) => setError(problemOf(failed)));
  };
  const what = selected.length === 1 ? "1 run" : `${selected.length} runs`;
  return (
    <>
      <div class="runs-dock">
        {error !== null && <ErrorNote error={error} />}
        {selected.length > 0 && (
          <div class="runs-bar" role="status">
            <span>{what} selected</span>
            <Button kind="danger" onClick={() => (selected.length > 1 ? setAsking(true) : cancel())}>
              Cancel {what}
            </Button>
          </div>
        )}
      </div>
      {isAsking && (
        <Ask title={`Cancel ${what}?`} verb={`Cancel ${what}`} onYes={cancel} onNo={() => setAsking(false)}>
          <p>What they have said so far stays. Tools that run are told to stop.</p>
        </Ask>
      )}
    </>
  );
}
