/**
 * The calls of one answer, with a result for each: for calls that ran, for calls that were cut off, and for calls for
 * which the run has no steps or no time left. Called by the loop.
 */
import type { Agent } from "../core/agent.ts";
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

/** @returns one result per call, in order. @throws only what ends the run: an abort, a lost lease */
export async function runCalls(calling: Calling, asked: AskedCalls): Promise<ToolResultBlock[]> {
  const { journal } = calling;
  const results = new Map<string, ToolResultBlock>();
  for (const use of asked.uses) {
    const why = unfit(use);
    if (why !== undefined) results.set(use.id, told(use, why, journal));
  }
  const whole = asked.uses.filter((use) => unfit(use) === undefined);
  for (const result of await runUntilLate(calling, { ...asked, uses: whole })) results.set(result.tool_use_id, result);
  return asked.uses.flatMap(({ id }) => results.get(id) ?? []);
}

/** Refuses all of the calls. */
export function refuseCalls(uses: readonly ToolUseBlock[], limit: Limit, journal: RunJournal): ToolResultBlock[] {
  return uses.map((use) => told(use, unfit(use) ?? notRun(limit), journal));
}

async function runUntilLate(calling: Calling, { uses, steps, isResumed }: AskedCalls): Promise<ToolResultBlock[]> {
  const { run, engine, agent, tools, journal, parking, tryAlone, log, signal, late } = calling;
  // Only the first step after a claim can find calls of a dead owner.
  const ledger = isResumed ? await outlastTrouble(() => engine.toolCalls(run.run_id), signal) : [];
  const { run_id: runId, thread_id: threadId, principal, metadata } = run;
  const context = { signal: late, runId, threadId, agentId: agent.agentId, principal, metadata };
  try {
    const { files } = engine;
    return await runTools({ uses, ledger, tools, journal, steps, parking, tryAlone, files, log, context });
  } catch (error) {
    signal.throwIfAborted();
    if (!late.aborted) throw error;
    const now = await outlastTrouble(() => engine.toolCalls(run.run_id), signal);
    return uses.map((use) => stopped(use, { steps, ledger: now, journal }));
  }
}

/** The time was up before the call or while it ran: the ledger knows which. */
function stopped(
  use: ToolUseBlock,
  { steps, ledger, journal }: { steps: number; ledger: readonly ToolCall[]; journal: RunJournal },
): ToolResultBlock {
  const known = ledger.find(({ stepsBefore, toolCallId }) => stepsBefore === steps && toolCallId === use.id);
  if (known?.result) return resultBlock(use.id, known.result);
  const result = told(use, withoutResult(use.name, known), journal);
  if (known) journal.emit({ type: "STEP_FINISHED", stepName: `tool:${use.name}:${use.id}` });
  return result;
}

/** A result that no tool returned, for the thread and for readers. */
function told({ id }: ToolUseBlock, content: string, journal: RunJournal): ToolResultBlock {
  const about = { messageId: newId("msg"), toolCallId: id, role: "tool", isError: true } as const;
  journal.emit({ type: "TOOL_CALL_RESULT", ...about, content });
  return { type: "tool_result", tool_use_id: id, content, is_error: true };
}
