/** The head of a run's page: owner, state, usage, and the button that ends the run. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { jobToolOf } from "../../../core/job-id.ts";
import { isOver, type Run, type ShownStatus } from "../../../core/run.ts";
import { clockTime, shortId } from "../../ui/format.ts";
import { info } from "../../store/info.ts";
import { href, navigate } from "../../router.ts";
import { Cost, Dollars, Tokens } from "../../run-view/cost-cell.tsx";
import { endWords } from "../../run-view/finish-reason.ts";
import { knownUsage } from "../../run-view/cost.ts";
import type { RunView } from "../../run-view/run-view.ts";
import { agents } from "../../store/agents.ts";
import { Ask } from "../../ui/ask.tsx";
import { Ago } from "../../ui/ago.tsx";
import { Button } from "../../ui/button.tsx";
import { CopyButton } from "../../ui/copy-button.tsx";
import { StatusBadge } from "../../ui/status-badge.tsx";
import type { RunDetails } from "./run-details.ts";
import { costOfAll, usageOfAll, type CostOfAll, type RunFamily } from "./run-family.ts";
import { showHidden } from "../../ui/show-hidden.ts";

interface Props {
  readonly run: Run;
  readonly view: RunView;
  readonly details: RunDetails;
  readonly family: RunFamily;
}

export function RunHead({ run, view, details, family }: Props) {
  const [isAsking, setAsking] = useState(false);
  // The journal is ahead of the stored row, until the row is final.
  const status = isOver(run.status) ? run.status : (view.status ?? run.status);
  const isCanceling = details.isCanceling.value || run.cancel_requested;
  return (
    <header class="run-head">
      <div class="page-head">
        <h1 dir="auto">{showHidden(run.title) || "Run"}</h1>
        <div class="page-actions">
          {(status === "failed" || status === "canceled") && <GoOn details={details} />}
          {!isOver(status) && (
            <Button kind="danger" busy={isCanceling} onClick={() => setAsking(true)}>
              {isCanceling ? "Canceling…" : "Cancel the run"}
            </Button>
          )}
        </div>
      </div>
      <p class="run-id">
        <code>{run.run_id}</code>
        <CopyButton text={run.run_id} />
      </p>
      {run.retry_of && (
        <p class="run-by">
          Goes on from run{" "}
          <a class="mono" href={href("runs", run.retry_of)} title={run.retry_of}>
            {shortId(run.retry_of)}
          </a>
        </p>
      )}
      {run.parent_run_id && (
        <p class="run-by">
          Delegated by run{" "}
          <a class="mono" href={href("runs", run.parent_run_id)} title={run.parent_run_id}>
            {shortId(run.parent_run_id)}
          </a>
        </p>
      )}
      {isAsking && <AskCancel details={details} onDone={() => setAsking(false)} />}
      <Facts run={run} view={view} family={family} status={status} />
    </header>
  );
}

/** A run is retried once: a second click finds the first retry. */
function GoOn({ details }: { details: RunDetails }) {
  const [isBusy, setBusy] = useState(false);
  const goOn = async () => {
    setBusy(true);
    const runId = await details.retry();
    setBusy(false);
    if (runId !== undefined) navigate(href("runs", runId));
  };
  return (
    <Button busy={isBusy} onClick={() => void goOn()} title="From its last checkpoint; finished tools are not repeated">
      Retry
    </Button>
  );
}

function AskCancel({ details, onDone }: { details: RunDetails; onDone: () => void }) {
  const cancel = () => {
    onDone();
    details.cancel();
  };
  return (
    <Ask title="Cancel this run?" verb="Cancel the run" onYes={cancel} onNo={onDone}>
      <p>What it has said so far stays. Tools that run are told to stop, and so are the runs that it delegated.</p>
    </Ask>
  );
}

interface FactsProps extends Pick<Props, "run" | "view" | "family"> {
  readonly status: ShownStatus;
}

function Facts({ run, view, family, status }: FactsProps) {
  const usage = knownUsage(status, view.end ? view.usage : run.usage);
  const cut = endWords(view.end?.reason ?? run.finish_reason);
  return (
    <dl class="facts">
      <Fact name="Status">
        <StatusBadge status={status} />
      </Fact>
      <WhoseFacts run={run} />
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
      {family.runs.value.length > 0 && <FamilySums run={run} usage={usage} family={family} />}
      {cut !== null && <Fact name="Ended by">{cut}</Fact>}
    </dl>
  );
}

/** A job runs a tool by itself: there is no agent, and no conversation. */
function WhoseFacts({ run: { agent_id: agentId, thread_id: threadId } }: { run: Run }) {
  const tool = jobToolOf(agentId);
  if (tool !== undefined) return <Fact name="Job of the tool">{tool}</Fact>;
  return (
    <>
      <Fact name="Agent">
        <a href={href("runs", undefined, { agent: agentId })}>{agentId}</a>
      </Fact>
      <Fact name="Thread">
        <a href={href("chat", threadId)}>Open the chat</a>
      </Fact>
    </>
  );
}

/** A planner itself uses little, so the cost of its work is the usage of all its runs. */
function FamilySums({ run, usage, family }: Pick<Props, "run" | "family"> & { usage: Run["usage"] | null }) {
  const below = family.runs.value;
  const all = [...below, { agent_id: run.agent_id, usage: usage ?? run.usage }];
  return (
    <>
      <Fact name={`Tokens with ${below.length === 1 ? "1 delegated run" : `${below.length} delegated runs`}`}>
        <Tokens usage={usageOfAll(all)} />
      </Fact>
      <Fact name="Cost with them">
        <FamilyCost cost={costOfAll(all, agents.value)} />
      </Fact>
    </>
  );
}

/** The part that is known, and whose part is not. */
function FamilyCost({ cost: { known, unpriced } }: { cost: CostOfAll }) {
  return (
    <>
      <Dollars cost={known} />
      {known !== undefined && unpriced.length > 0 && (
        <span class="mute" title="Give them a price in config/agents.ts, and the sum has their cost, too">
          {" "}
          · {unpriced.join(", ")} {unpriced.length === 1 ? "has" : "have"} no price
        </span>
      )}
    </>
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
