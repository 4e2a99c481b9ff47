/** The head of a run's page: whose it is, how it stands, what it used, and the button that ends it. */
import type { ComponentChildren } from "preact";
import { isOver, type Run, type ShownStatus } from "../../../core/run.ts";
import { clockTime, shortId } from "../../ui/format.ts";
import { info } from "../../store/info.ts";
import { href } from "../../router.ts";
import { Cost, Tokens } from "../../run-view/cost-cell.tsx";
import { knownUsage } from "../../run-view/cost.ts";
import type { RunView } from "../../run-view/run-view.ts";
import { Ago } from "../../ui/ago.tsx";
import { Button } from "../../ui/button.tsx";
import { CopyButton } from "../../ui/copy-button.tsx";
import { StatusBadge } from "../../ui/status-badge.tsx";
import type { RunDetails } from "./run-details.ts";

interface Props {
  readonly run: Run;
  readonly view: RunView;
  readonly details: RunDetails;
}

export function RunHead({ run, view, details }: Props) {
  // The journal is ahead of the stored row, until the row is final.
  const status = isOver(run.status) ? run.status : (view.status ?? run.status);
  const isCanceling = details.isCanceling.value || run.cancel_requested;
  return (
    <header class="run-head">
      <div class="page-head">
        <h1 dir="auto">{run.title || "Run"}</h1>
        <div class="page-actions">
          {!isOver(status) && (
            <Button kind="danger" busy={isCanceling} onClick={() => details.cancel()}>
              {isCanceling ? "Canceling…" : "Cancel the run"}
            </Button>
          )}
        </div>
      </div>
      <p class="run-id">
        <code>{run.run_id}</code>
        <CopyButton text={run.run_id} />
      </p>
      {run.parent_run_id && (
        <p class="run-by">
          Delegated by run{" "}
          <a class="mono" href={href("runs", run.parent_run_id)} title={run.parent_run_id}>
            {shortId(run.parent_run_id)}
          </a>
        </p>
      )}
      <Facts run={run} view={view} status={status} />
    </header>
  );
}

function Facts({ run, view, status }: { run: Run; view: RunView; status: ShownStatus }) {
  const usage = knownUsage(status, view.end ? view.usage : run.usage);
  return (
    <dl class="facts">
      <Fact name="Status">
        <StatusBadge status={status} />
      </Fact>
      <Fact name="Agent">
        <a href={href("runs", undefined, { agent: run.agent_id })}>{run.agent_id}</a>
      </Fact>
      <Fact name="Thread">
        <a href={href("chat", run.thread_id)}>Open the chat</a>
      </Fact>
      <Fact name="Created">
        <span title={clockTime(run.created_at)}>
          <Ago at={run.created_at} />
        </span>
      </Fact>
      <Fact name="Attempts">{Math.max(run.attempts, view.claims.at(-1)?.attempt ?? 0)}</Fact>
      <Fact name="Steps">{run.steps}</Fact>
      <Fact name="Tokens in, out">
        <Tokens usage={usage} />
      </Fact>
      <Fact name={info.value?.model.simulated ? "Cost, not charged" : "Cost"}>
        <Cost agentId={run.agent_id} usage={usage} />
      </Fact>
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
