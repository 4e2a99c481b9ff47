/** The table of runs: one row a run, with a box for those that can be canceled. */
import { useMemo } from "preact/hooks";
import { jobToolOf } from "../../../core/job-id.ts";
import { isOver, shownStatus, type Run } from "../../../core/run.ts";
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
import type { Cancels } from "./cancels.ts";
import type { RunsModel } from "./runs-model.ts";
import { showHidden } from "../../ui/show-hidden.ts";

interface Props {
  readonly rows: readonly Run[];
  readonly model: RunsModel;
}

export function RunTable({ rows, model }: Props) {
  const { selection, cancels } = model;
  const chosen = selection.chosen.value;
  const pending = cancels.pending.value;
  return (
    <div class="card runs-card">
      <table class="table runs-table">
        <Head rows={rows} model={model} />
        <tbody>
          {rows.map((run) => (
            <Row
              key={run.run_id}
              run={run}
              isSelected={chosen.has(run.run_id)}
              isPending={pending.has(run.run_id)}
              model={model}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function canCancel(run: Run): boolean {
  return !isOver(run.status) && !run.cancel_requested;
}

function Head({ rows, model: { selection } }: Props) {
  const chosen = selection.chosen.value;
  const cancelable = rows.filter(canCancel).map(({ run_id: id }) => id);
  const isAll = cancelable.length > 0 && cancelable.every((id) => chosen.has(id));
  return (
    <thead>
      <tr>
        <th scope="col" class="runs-box">
          <input
            type="checkbox"
            aria-label="Select all shown that can be canceled"
            checked={isAll}
            indeterminate={chosen.size > 0 && !isAll}
            disabled={cancelable.length === 0}
            onChange={() => (isAll ? selection.clear() : selection.chooseShown(cancelable))}
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
  readonly isSelected: boolean;
  readonly isPending: boolean;
  readonly model: RunsModel;
}

/**
 * A run that looks the same is the same object (run-list.ts): its row is rendered once, however often other rows
 * change.
 */
function Row(props: RowProps) {
  const { run, isSelected, isPending, model } = props;
  return useMemo(() => <Cells {...props} />, [run, isSelected, isPending, model]);
}

function Cells({ run, isSelected, isPending, model: { selection, cancels } }: RowProps) {
  const usage = knownUsage(run.status, run.usage);
  return (
    <tr {...(isSelected && { "data-selected": "" })}>
      <td class="runs-box">
        {canCancel(run) && (
          <input
            type="checkbox"
            aria-label={`Select run ${run.run_id}`}
            checked={isSelected}
            onChange={() => selection.toggle(run.run_id)}
          />
        )}
      </td>
      <td class="runs-status">
        <StatusBadge
          status={(run.cancel_requested || isPending) && !isOver(run.status) ? "canceling" : shownStatus(run)}
        />
      </td>
      <Title run={run} />
      <td class="runs-agent">
        <Worker run={run} />
      </td>
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
      <td class="right runs-act">
        {canCancel(run) && <CancelOne runId={run.run_id} isPending={isPending} cancels={cancels} />}
      </td>
    </tr>
  );
}

function Title({ run }: { run: Run }) {
  return (
    <td class="runs-id">
      <a class="runs-title" dir="auto" href={href("runs", run.run_id)} title={run.run_id}>
        {showHidden(run.title) || "Run"}
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
  );
}

/** The agent, or the tool that a job runs by itself. */
function Worker({ run: { agent_id: agentId } }: { run: Run }) {
  const tool = jobToolOf(agentId);
  if (tool === undefined) return <>{agentId}</>;
  return (
    <>
      <span class="runs-job">job</span> {tool}
    </>
  );
}

function Took({ run }: { run: Run }) {
  return <Duration ms={durationOf(run, isOver(run.status) ? 0 : serverNow.value)} />;
}

interface CancelProps {
  readonly runId: string;
  readonly isPending: boolean;
  readonly cancels: Cancels;
}

function CancelOne({ runId, isPending, cancels }: CancelProps) {
  if (isPending) {
    return (
      <Button onClick={() => cancels.undo(runId)} label={`Do not cancel run ${runId}`}>
        Undo
      </Button>
    );
  }
  return (
    <Button kind="quiet" onClick={() => cancels.soon(runId)} label={`Cancel run ${runId}`}>
      Cancel
    </Button>
  );
}
