/**
 * Runs the tool calls of one answer, in parallel, each in the ledger before it starts. After a crash the
 * ledger says which are done, which may run again, and of which nobody can know. Called by the loop.
 */
import { z } from "zod";
import type { ToolResultBlock, ToolUseBlock } from "../../core/message.ts";
import { newId } from "../../core/id.ts";
import type { Effects, ToolCall } from "../../engine/engine.ts";
import type { Parking } from "../parking.ts";
import type { RunJournal } from "../run-journal.ts";
import type { Tools } from "./registry.ts";
import type { Tool, ToolContext } from "./tool.ts";

/** What the model and the journal get of a result; the rest is cut off, and marked. */
const MAX_RESULT_CHARACTERS = 256 * 1024;

type Result = NonNullable<ToolCall["result"]>;

export interface ToolRound {
  readonly uses: readonly ToolUseBlock[];
  /** What the ledger knows of this run's calls. */
  readonly ledger: readonly ToolCall[];
  readonly tools: Tools;
  readonly journal: RunJournal;
  /** How many steps the run had made before. */
  readonly steps: number;
  readonly parking: Parking;
  readonly context: Pick<ToolContext, "signal" | "runId" | "threadId">;
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

async function runTool(use: ToolUseBlock, round: ToolRound): Promise<Result> {
  const { ledger, tools, journal, steps, parking } = round;
  const idempotencyKey = `${round.context.runId}:${steps}:${use.id}`;
  const context: ToolContext = { ...round.context, toolCallId: use.id, idempotencyKey };
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
  const result =
    known && effects === "unsafe" ? unknownOutcome(use.name) : await parking.call(() => attempt(use, tool, context));
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

function unknownOutcome(name: string): Result {
  const content = `The server stopped while ${name} ran. Its outcome is unknown: it may or may not have taken effect.`;
  return { content, isError: true };
}

async function attempt(use: ToolUseBlock, tool: Tool | undefined, context: ToolContext): Promise<Result> {
  if (!tool) return { content: `There is no tool ${use.name}.`, isError: true };
  try {
    const input = tool.input.safeParse(use.input);
    if (!input.success) return { content: `The arguments do not fit: ${z.prettifyError(input.error)}`, isError: true };
    return { content: asText(await withinTime(tool, input.data, context)), isError: false };
  } catch (error) {
    return { content: asText(error instanceof Error ? error.message : String(error)), isError: true };
  }
}

/** The tool's own signal ends with the run's or with its time; a tool that ignores it is not waited for. */
async function withinTime(tool: Tool, input: unknown, context: ToolContext): Promise<unknown> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const end = new AbortController();
  const timer = setTimeout(
    () => end.abort(new Error(`The tool took longer than ${tool.timeoutMs} ms.`)),
    tool.timeoutMs,
  );
  const follow = () => end.abort(context.signal.reason);
  end.signal.addEventListener("abort", () => reject(end.signal.reason));
  context.signal.addEventListener("abort", follow);
  try {
    return await Promise.race([tool.run(input, { ...context, signal: end.signal }), aborted]);
  } finally {
    clearTimeout(timer);
    context.signal.removeEventListener("abort", follow);
  }
}

/** JSON cannot carry lone surrogates safely through every client, so they are replaced (U+FFFD). */
function asText(value: unknown): string {
  const text = (typeof value === "string" ? value : (JSON.stringify(value) ?? "")).toWellFormed();
  if (text.length <= MAX_RESULT_CHARACTERS) return text;
  return `${text.slice(0, MAX_RESULT_CHARACTERS)}\n[cut: ${text.length - MAX_RESULT_CHARACTERS} more characters]`;
}
