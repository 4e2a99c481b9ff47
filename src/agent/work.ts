/**
 * One claimed run from claim to settle: its time limit, its journal, its loop, and the one place that
 * decides what an end of the loop means for the run. Called by the runner.
 */
import type Anthropic from "@anthropic-ai/sdk";
import type { Agent } from "../core/agent.ts";
import { AppError, hasCode, toAppError } from "../core/errors.ts";
import type { Outcome } from "../core/run.ts";
import type { Claim, Engine } from "../engine/engine.ts";
import type { Log } from "../observe/log.ts";
import type { Breakers } from "./breakers.ts";
import { Interrupted } from "./abort-reason.ts";
import { runLoop } from "./loop.ts";
import type { ModelMeter } from "./model-meter.ts";
import type { Patience } from "./model.ts";
import type { Parking } from "./parking.ts";
import { liveTools } from "./mcp/live-tools.ts";
import type { ManagedServers } from "./mcp/servers.ts";
import { RunJournal } from "./run-journal.ts";
import { DELEGATE, delegateTool } from "./tools/delegate.ts";
import type { Tools } from "./tools/invoke.ts";
import { toolsOf } from "./tools/registry.ts";
import type { Trials } from "./tools/trials.ts";

export interface WorkDeps {
  readonly engine: Engine;
  readonly agents: ReadonlyMap<string, Agent>;
  readonly tools: Tools;
  readonly client: Anthropic;
  readonly meter: ModelMeter;
  readonly breakers: Breakers;
  readonly mcp: ManagedServers;
  readonly log: Log;
  readonly patience: Patience;
}

/** What the runner holds of a run that is worked on. */
export interface RunHandles {
  readonly abort: AbortController;
  readonly parking: Parking;
  /** Of the whole process. */
  readonly trials: Trials;
}

/** Never rejects: what goes wrong ends in the run's own outcome, or in the log. */
export async function work(claim: Claim, deps: WorkDeps, handles: RunHandles): Promise<void> {
  const { engine, log } = deps;
  const { abort } = handles;
  const { run, fence } = claim;
  const journal = new RunJournal({
    engine,
    runId: run.run_id,
    fence,
    signal: abort.signal,
    onCanceled: () => abort.abort(new Interrupted("canceled")),
    onLost: (error) => {
      if (!hasCode(error, "LEASE_LOST")) log.error({ err: error, run_id: run.run_id }, "journal cannot be written");
      abort.abort(new Interrupted("lost"));
    },
  });
  try {
    await runWithinTime(claim, deps, { ...handles, journal });
  } catch (error) {
    const outcome = outcomeOf(error);
    if (outcome?.status === "failed")
      log.warn({ run_id: run.run_id, code: outcome.error.code, err: causeOf(error) }, outcome.error.detail);
    // A lease that is lost, or given back, means that somebody else says how it ends.
    if (outcome) await journal.settle({}, outcome).catch(() => {});
  } finally {
    // Nothing of a run outlives it: a tool that still runs is told.
    abort.abort(new Interrupted("stopped"));
    journal.stop();
  }
}

async function runWithinTime(
  { run, trialMs }: Claim,
  deps: WorkDeps,
  { journal, abort, parking, trials }: RunHandles & { readonly journal: RunJournal },
): Promise<void> {
  const { engine, agents, client, meter, breakers, patience, log } = deps;
  const agent = agents.get(run.agent_id);
  if (!agent) throw new AppError("AGENT_NOT_FOUND", `Agent ${run.agent_id} is no longer in config/agents.ts.`);
  const tools = toolsOf(agent, deps.tools);
  if (agent.delegates.length > 0) tools.set(DELEGATE, delegateTool({ agent, agents, engine, journal, parking }));
  const timeoutMs = Math.min(run.timeout_ms ?? agent.limits.timeoutMs, agent.limits.timeoutMs);
  const timedOut = new AppError("RUN_TIMEOUT", `The run took longer than its ${timeoutMs} ms.`);
  // Counted from the first claim: a run that was taken over does not get its time anew.
  const leftMs = timeoutMs - (Date.now() - (run.started_at ?? Date.now()));
  if (leftMs <= 0) throw timedOut;
  const deadline = performance.now() + leftMs;
  const timer = setTimeout(() => abort.abort(timedOut), leftMs);
  try {
    const { signal } = abort;
    const breaker = breakers.of(agent.model);
    const refreshTools = liveTools(tools, agent.mcp, deps.mcp);
    // The first step may be a tool's: of a run that was taken over.
    await refreshTools(signal);
    const takeTurn = <T>(call: () => Promise<T>) => trials.run({ runId: run.run_id, trialMs, signal }, call);
    await runLoop({
      run,
      agent,
      engine,
      tools,
      refreshTools,
      parking,
      takeTurn,
      model: { client, meter, breaker, patience, deadline },
      journal,
      log,
      signal,
    });
  } finally {
    clearTimeout(timer);
  }
}

/** Undefined: the run is not ours to end. */
function outcomeOf(error: unknown): Outcome | undefined {
  if (error instanceof Interrupted) return error.why === "canceled" ? { status: "canceled" } : undefined;
  if (hasCode(error, "LEASE_LOST")) return undefined;
  const { code, message } = toAppError(error);
  return { status: "failed", error: { code, detail: message } };
}

function causeOf(error: unknown): unknown {
  return error instanceof AppError ? error.cause : error;
}
