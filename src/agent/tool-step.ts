/**
 * The calls of one answer, with a result for each: for calls that ran, for calls that were cut off, and for calls for
 * which the run has no steps or no time left. Called by the loop.
 */
import type { Agent } from "../core/agent.ts";
import type { RunEvent } from "../core/event.ts";
import { newId } from "../core/id.ts";
import type { ToolResultBlock, ToolUseBlock } from "../core/message.ts";
import type { Run } from "../core/run.ts";
import type { Engine, ToolCall } from "../engine/engine.ts";
import type { Log } from "../observe/log.ts";
import { notRun, unfit, type Limit } from "./history/notes.ts";
import { withoutResult } from "./history/tool-results.ts";
import type { Parking } from "./parking.ts";
import { outlastTrouble } from "./retry-storage.ts";
import type { RunJournal } from "./run-journal.ts";
import { resultBlock, runTools, type AnswerCalls } from "./tools/execute.ts";
import { keysOf } from "./tools/idempotency-key.ts";
import type { Tools } from "./tools/invoke.ts";

export interface Calling {
  readonly run: Run;
  readonly agent: Agent;
  readonly engine: Engine;
  readonly tools: Tools;
  readonly parking: Parking;
  readonly tryAlone: AnswerCalls["tryAlone"];
  readonly journal: RunJournal;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly late: AbortSignal;
}

interface AskedCalls {
  readonly uses: readonly ToolUseBlock[];
  /** How many steps the run had made before these calls. */
  readonly steps: number;
  readonly isResumed: boolean;
}

/** The results of an answer's calls, in order, and what readers are told of them together with the step. */
export interface StepResults {
  readonly content: readonly ToolResultBlock[];
  /** Commit them with the step: whoever takes the run over before that tells readers anew. */
  readonly events: readonly RunEvent[];
}

/** @returns one result per call, in order. @throws only what ends the run: an abort, a lost lease */
export async function runCalls(calling: Calling, asked: AskedCalls): Promise<StepResults> {
  const results = new Map<string, CallResult>();
  for (const use of asked.uses) {
    const why = unfit(use);
    if (why !== undefined) results.set(use.id, told(use, why));
  }
  const whole = asked.uses.filter(({ id }) => !results.has(id));
  for (const result of await runUntilLate(calling, { ...asked, uses: whole }))
    results.set(result.block.tool_use_id, result);
  return joined(asked.uses.flatMap(({ id }) => results.get(id) ?? []));
}

/** Refuses the calls, except those that a dead owner of the run has begun. */
export async function refuseCalls(calling: Calling, asked: AskedCalls, limit: Limit): Promise<StepResults> {
  const { steps } = asked;
  const ledger = await ledgerBefore(calling, asked);
  return joined(asked.uses.map((use) => closed(use, calling.journal, { steps, ledger, limit })));
}

/** One call's result, and what readers have not been told of it. */
interface CallResult {
  readonly block: ToolResultBlock;
  readonly events: readonly RunEvent[];
}

async function runUntilLate(calling: Calling, asked: AskedCalls): Promise<CallResult[]> {
  const { run, engine, agent, tools, journal, parking, tryAlone, log, signal, late } = calling;
  const { uses, steps } = asked;
  const ledger = await ledgerBefore(calling, asked);
  const { run_id: runId, thread_id: threadId, principal, metadata } = run;
  const context = { signal: late, runId, threadId, agentId: agent.agentId, principal, metadata };
  const keyOf = keysOf({ run, engine, signal });
  try {
    const { files } = engine;
    const blocks = await runTools({
      uses,
      ledger,
      tools,
      journal,
      steps,
      parking,
      tryAlone,
      files,
      log,
      keyOf,
      context,
    });
    return blocks.map((block) => ({ block, events: [] }));
  } catch (error) {
    signal.throwIfAborted();
    if (!late.aborted) throw error;
    // Results that came just before may still wait to be written: the ledger must have them before it is read.
    await journal.checkpoint({});
    const now = await outlastTrouble(() => engine.toolCalls(run.run_id), signal);
    return uses.map((use) => closed(use, journal, { steps, ledger: now, limit: "time_limit" }));
  }
}

/** Only the first step after a claim can find calls of a dead owner. */
function ledgerBefore({ run, engine, signal }: Calling, { isResumed }: AskedCalls): Promise<readonly ToolCall[]> {
  return isResumed ? outlastTrouble(() => engine.toolCalls(run.run_id), signal) : Promise.resolve([]);
}

interface Limited {
  readonly steps: number;
  readonly ledger: readonly ToolCall[];
  readonly limit: Limit;
}

/** The result of a call that does not run, or run on: the ledger knows whether it has finished or begun. */
function closed(use: ToolUseBlock, journal: RunJournal, { steps, ledger, limit }: Limited): CallResult {
  const known = ledger.find(({ stepsBefore, toolCallId }) => stepsBefore === steps && toolCallId === use.id);
  if (known?.result) return { block: resultBlock(use.id, known.result), events: [] };
  const { block, events } = told(use, unfit(use) ?? (known ? withoutResult(use.name, known) : notRun(limit)));
  const end = { type: "STEP_FINISHED", stepName: `tool:${use.name}:${use.id}` } as const;
  return { block, events: journal.isOpen(end) ? [...events, end] : events };
}

/** A result that no tool returned, for the thread and for readers. */
function told({ id }: ToolUseBlock, content: string): CallResult {
  const about = { messageId: newId("msg"), toolCallId: id, role: "tool", isError: true } as const;
  return {
    block: { type: "tool_result", tool_use_id: id, content, is_error: true },
    events: [{ type: "TOOL_CALL_RESULT", ...about, content }],
  };
}

function joined(results: readonly CallResult[]): StepResults {
  return { content: results.map(({ block }) => block), events: results.flatMap(({ events }) => events) };
}
