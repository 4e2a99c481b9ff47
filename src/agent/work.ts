/**
 * One claimed run from claim to settle: its time limit, its journal, its loop, and the one place that
 * settles it. Called by the runner.
 */
import type { Asked } from "../core/asked.ts";
import { headersOf } from "../core/api-options.ts";
import { AppError, hasCode } from "../core/errors.ts";
import { jobToolOf } from "../core/job-id.ts";
import type { Run } from "../core/run.ts";
import type { Claim } from "../engine/engine.ts";
import { Interrupted } from "./abort-reason.ts";
import { budgetOf } from "./budget.ts";
import { brokenOff, type Ending } from "./ending.ts";
import { runJob } from "./run-job.ts";
import { runLoop } from "./loop.ts";
import { billFor, ModelChoice } from "./model-choice.ts";
import { RANKS, type Rank } from "./governor/allowance.ts";
import { liveTools } from "./mcp/live-tools.ts";
import { prepareAgent } from "./system-prompt.ts";
import { RunJournal } from "./run-journal.ts";
import { RunTime } from "./run-time.ts";
import { DELEGATE, delegateTool } from "./tools/delegate.ts";
import { toolsOf } from "./tools/registry.ts";
import type { RunHandles, WorkDeps } from "./work-deps.ts";

/** Never rejects: every failure ends in the run's own outcome, or in the log. */
export async function work(claim: Claim, deps: WorkDeps, handles: RunHandles): Promise<void> {
  const { engine, log } = deps;
  const { abort, parking } = handles;
  const { run, fence } = claim;
  const journal = new RunJournal({
    engine,
    runId: run.run_id,
    fence,
    bill: billFor(deps.agents.get(run.agent_id)),
    signal: abort.signal,
    onCanceled: () => abort.abort(new Interrupted("canceled")),
    onParked: (isParked) => (parking.isShown = isParked),
    onLost: (error) => {
      if (!hasCode(error, "LEASE_LOST")) log.error({ err: error, run_id: run.run_id }, "journal cannot be written");
      abort.abort(new Interrupted("lost"));
    },
  });
  try {
    const ending = await runWithinTime(claim, deps, { ...handles, journal }).catch((error: unknown) =>
      brokenOff(error, { said: [] }, { usage: run.usage, model: "" }),
    );
    await settle(ending, journal);
    const { outcome, error } = ending;
    if (outcome?.status === "failed")
      log.warn({ run_id: run.run_id, code: outcome.error.code, err: causeOf(error) }, outcome.error.detail);
  } finally {
    // No tool outlives its run: a tool that still runs is told to stop.
    abort.abort(new Interrupted("stopped"));
    journal.stop();
  }
}

/** A write that fails is in the log already, and the run's next owner will settle it. */
async function settle({ outcome, messages, usage, steps }: Ending, journal: RunJournal): Promise<void> {
  const step = { messages, usage, ...(steps !== undefined && { steps }) };
  // A run that goes on elsewhere must still pay for its calls here.
  const written = outcome ? journal.settle(step, outcome) : journal.checkpoint({ usage });
  await written.catch(() => {});
}

async function runWithinTime(
  { run, asked, fence, spentMs, trialMs }: Claim,
  deps: WorkDeps,
  { journal, abort, parking, trials, caching }: RunHandles & { readonly journal: RunJournal },
): Promise<Ending> {
  const { engine, agents, client, meter, governors, patience, log } = deps;
  const jobTool = jobToolOf(run.agent_id);
  if (jobTool !== undefined)
    return runJob({
      name: jobTool,
      claim: { run, spentMs, trialMs },
      deps,
      handles: { journal, abort, parking, trials },
    });
  const agent = agents.get(run.agent_id);
  if (!agent) throw new AppError("AGENT_NOT_FOUND", `Agent ${run.agent_id} is no longer in config/agents.ts.`);
  const tools = toolsOf(agent, deps.tools);
  if (agent.delegates.length > 0) tools.set(DELEGATE, delegateTool({ agent, agents, engine, journal, parking, asked }));
  using time = new RunTime({ run, spentMs }, agent, abort);
  const { signal } = abort;
  const choice = new ModelChoice(agent, (name) => governors.of(name));
  const { governor } = choice;
  const rank = rankOf(run, asked);
  const refreshTools = liveTools(tools, agent.mcp, deps.mcp);
  // Needed here because the first step may be a tool step, in a run that was taken over.
  await refreshTools(signal);
  const { late, deadline } = time;
  const tryAlone = <T>(call: () => Promise<T>) => trials.run({ runId: run.run_id, trialMs, signal: late }, call);
  const headers = headersOf(agent);
  const model = { client, meter, governor, rank, parking, patience, headers, deadline };
  const prepared = await prepareAgent(agent, run, signal);
  const askBudget = budgetOf({ run, fence, agent: prepared, access: deps.access, engine, parking, journal });
  const parts = { run, agent: prepared, engine, askBudget, tools, refreshTools, parking, tryAlone, model, journal };
  return await runLoop({ ...parts, choice, asked, caching, log, signal, late });
}

/** A run that a background run delegates is no more urgent than the background run. */
function rankOf({ parent_run_id: parent }: Run, { background }: Asked): Rank {
  if (background) return RANKS.background;
  return parent === null ? RANKS.interactive : RANKS.delegated;
}

function causeOf(error: unknown): unknown {
  return error instanceof AppError ? error.cause : error;
}
