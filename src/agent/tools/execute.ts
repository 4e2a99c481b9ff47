/**
 * Runs the tool calls of one answer, in parallel, each in the ledger before it starts. After a crash the
 * ledger says which are done, which may run again, and of which nobody can know. Called by the loop.
 */
import type { ToolResultBlock, ToolUseBlock } from "../../core/message.ts";
import { newId } from "../../core/id.ts";
import type { Effects, ToolCall } from "../../engine/engine.ts";
import type { Parking } from "../parking.ts";
import type { RunJournal } from "../run-journal.ts";
import { failure, type CallContext, type ToolResult, type Tools } from "./invoke.ts";

export interface ToolRound {
  readonly uses: readonly ToolUseBlock[];
  /** What the ledger knows of this run's calls. */
  readonly ledger: readonly ToolCall[];
  readonly tools: Tools;
  readonly journal: RunJournal;
  /** How many steps the run had made before. */
  readonly steps: number;
  readonly parking: Parking;
  readonly context: Pick<CallContext, "signal" | "runId" | "threadId">;
}

/** @returns one result per call, in order. @throws only what ends the run: an abort, a lost lease */
export async function runTools(round: ToolRound): Promise<ToolResultBlock[]> {
  const results = await Promise.all(round.uses.map((use) => runTool(use, round)));
  return results.map(({ content, isError }, index) => ({
    type: "tool_result",
    tool_use_id: round.uses[index]?.id ?? "",
    content,
    ...(isError && { is_error: true }),
  }));
}

async function runTool(use: ToolUseBlock, round: ToolRound): Promise<ToolResult> {
  const { ledger, tools, journal, steps, parking } = round;
  const idempotencyKey = `${round.context.runId}:${steps}:${use.id}`;
  const context: CallContext = { ...round.context, toolCallId: use.id, idempotencyKey };
  const known = ledger.find(({ stepsBefore, toolCallId }) => stepsBefore === steps && toolCallId === use.id);
  if (known?.result) return known.result;
  const tool = tools.get(use.name);
  // What it was when it first started: its definition may have changed since.
  const effects: Effects = known?.effects ?? tool?.effects ?? "pure";
  const call = { stepsBefore: steps, toolCallId: use.id, name: use.name, effects };
  const stepName = `tool:${use.name}:${use.id}`;
  await journal.checkpoint({ toolCalls: [{ ...call, result: null }] }, [{ type: "STEP_STARTED", stepName }]);
  // Canceled while that was written: nothing may start any more.
  context.signal.throwIfAborted();
  let result: ToolResult;
  if (known && effects === "unsafe") result = unknownOutcome(use.name);
  else if (!tool) result = failure(`There is no tool ${use.name}.`);
  else result = await parking.call(() => tool.invoke(use.input, context));
  // Canceled meanwhile: the run is over, and a result that nobody waits for must not look like one.
  context.signal.throwIfAborted();
  journal.emit({
    type: "TOOL_CALL_RESULT",
    messageId: newId("msg"),
    toolCallId: use.id,
    content: result.content,
    role: "tool",
    ...(result.isError && { isError: true }),
  });
  journal.emit({ type: "STEP_FINISHED", stepName });
  await journal.checkpoint({ toolCalls: [{ ...call, result }] });
  return result;
}

function unknownOutcome(name: string): ToolResult {
  return failure(`The server stopped while ${name} ran. Its outcome is unknown: it may or may not have taken effect.`);
}
