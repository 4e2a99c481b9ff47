/** The table of runs: one row a run, with a box for those that can be canceled. */
import { useMemo, useState } from "preact/hooks";
import { isOver, type Run } from "../../../core/run.ts";
import { serverNow } from "../../store/clock.ts";
import { shortId } from "../../ui/format.ts";
import { href } from "../../router.ts";
import { Cost, Tokens } from "../../run-view/cost-cell.tsx";
import { knownUsage } from "../../run-view/cost.ts";
import { durationOf } from "../../run-view/run-duration.ts";
import { Ago } from "../../ui/ago.tsx";
import { Button } from "../../ui/button.tsx";
import { Duration } from "../../ui/duration.tsx";
import { StatusBadge } from "../../ui/status-badge.tsx";
import type { RunList } from "./run-list.ts";

interface Props {
  readonly rows: readonly Run[];
  readonly cancelable: readonly string[];
  readonly selected: ReadonlySet<string>;
  /** By the choice before, like a state's setter: rows keep what they got when they were made. */
  readonly onSelect: (change: (selected: ReadonlySet<string>) => ReadonlySet<string>) => void;
  readonly list: RunList;
}

export function RunTable({ rows, cancelable, selected, onSelect, list }: Props) {
  const canCancel = new Set(cancelable);
  const toggle = (runId: string) =>
    onSelect((before) => {
      const next = new Set(before);
      if (!next.delete(runId)) next.add(runId);
      return next;
    });
  return (
    <div class="card runs-card">
      <table class="table runs-table">
        <Head cancelable={cancelable} selected={selected} onSelect={onSelect} />
        <tbody>
          {rows.map((run) => (
            <Row
              key={run.run_id}
              run={run}
              canCancel={canCancel.has(run.run_id)}
              isSelected={selected.has(run.run_id)}
              onToggle={() => toggle(run.run_id)}
              list={list}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Head({ cancelable, selected, onSelect }: Pick<Props, "cancelable" | "selected" | "onSelect">) {
  const isAll = cancelable.length > 0 && selected.size === cancelable.length;
  return (
    <thead>
      <tr>
        <th scope="col" class="runs-box">
          <input
            type="checkbox"
            aria-label="Select all that can be canceled"
            checked={isAll}
            indeterminate={selected.size > 0 && !isAll}
            disabled={cancelable.length === 0}
            onChange={() => onSelect(() => new Set(isAll ? [] : cancelable))}
          />
          <span class="runs-all" aria-hidden="true">
            Select all
          </span>
        </th>
        <th scope="col">Status</th>
        <th scope="col">Run</th>
        <th scope="col">Agent</th>
        <th scope="col">Created</th>
        <th scope="col" class="right">
          Duration
        </th>
        <th scope="col" class="right">
          Tokens in · out
        </th>
        <th scope="col" class="right">
          Cost
        </th>
        <th scope="col">
          <span class="visually-hidden">Actions</span>
        </th>
      </tr>
    </thead>
  );
}

interface RowProps {
  readonly run: Run;
  readonly canCancel: boolean;
  readonly isSelected: boolean;
  readonly onToggle: () => void;
  readonly list: RunList;
}

/** A run that is over stays the same object (run-list.ts): its row is made once, however often the others are. */
function Row(props: RowProps) {
  const { run, canCancel, isSelected } = props;
  return useMemo(() => <Cells {...props} />, [run, canCancel, isSelected]);
}

function Cells({ run, canCancel, isSelected, onToggle, list }: RowProps) {
  const usage = knownUsage(run.status, run.usage);
  return (
    <tr {...(isSelected && { "data-selected": "" })}>
      <td class="runs-box">
        {canCancel && (
          <input type="checkbox" aria-label={`Select run ${run.run_id}`} checked={isSelected} onChange={onToggle} />
        )}
      </td>
      <td class="runs-status">
        <StatusBadge status={run.cancel_requested && !isOver(run.status) ? "canceling" : run.status} />
      </td>
      <td class="runs-id">
        <a class="runs-title" dir="auto" href={href("runs", run.run_id)} title={run.run_id}>
          {run.title || "Run"}
        </a>
        <span class="runs-about">
          <span class="mono">{shortId(run.run_id)}</span>
          {run.parent_run_id && (
            <a class="runs-by" href={href("runs", run.parent_run_id)} title={`Delegated by run ${run.parent_run_id}`}>
              delegated
            </a>
          )}
          {run.error && (
            <span class="runs-error" title={run.error.detail}>
              {run.error.code}
            </span>
          )}
        </span>
      </td>
      <td class="runs-agent">{run.agent_id}</td>
      <td class="runs-came">
        <Ago at={run.created_at} />
      </td>
      <td class="right runs-took">
        <Took run={run} />
      </td>
      <td class="right num runs-tokens">
        <Tokens usage={usage} />
      </td>
      <td class="right runs-cost">
        <Cost agentId={run.agent_id} usage={usage} />
      </td>
      <td class="right runs-act">{canCancel && <CancelOne runId={run.run_id} list={list} />}</td>
    </tr>
  );
}

function Took({ run }: { run: Run }) {
  return <Duration ms={durationOf(run, isOver(run.status) ? 0 : serverNow.value)} />;
}

function CancelOne({ runId, list }: { runId: string; list: RunList }) {
  const [isBusy, setBusy] = useState(false);
  const cancel = () => {
    setBusy(true);
    // A refusal means that it is over already; the list is on its way to show that.
    list.cancel([runId]).catch(() => setBusy(false));
  };
  return (
    <Button kind="quiet" busy={isBusy} onClick={cancel} label={`Cancel run ${runId}`}>
      Cancel
    </Button>
  );
}
