/**
 * Runs the tool calls of one answer in parallel, and writes each into the ledger before it starts. After a crash the
 * ledger says which calls are done, which may run again, and which have an unknown outcome. Called by the loop.
 */
import type { ToolResultBlock, ToolUseBlock } from "../../core/message.ts";
import { customEvent, resultInJournal } from "../../core/event.ts";
import { newId } from "../../core/id.ts";
import type { Effects, ToolCall } from "../../engine/engine.ts";
import type { Files } from "../../engine/files.ts";
import type { Log } from "../../observe/log.ts";
import type { Parking } from "../parking.ts";
import type { RunJournal } from "../run-journal.ts";
import { failure, type CallContext, type CallReport, type ToolResult, type Tools } from "./invoke.ts";
import { keepParts } from "./keep-parts.ts";
import { unknownOutcome } from "./outcome.ts";

export interface AnswerCalls {
  readonly uses: readonly ToolUseBlock[];
  /** The ledger's entries of this run's calls. */
  readonly ledger: readonly ToolCall[];
  readonly tools: Tools;
  readonly journal: RunJournal;
  /** How many steps the run had made before these calls. */
  readonly steps: number;
  readonly parking: Parking;
  /** Waits until the call may begin, then does the work: see `trials.ts`. */
  readonly tryAlone: <T>(work: () => Promise<T>) => Promise<T>;
  /** Stores the parts of results that are not text. */
  readonly files: Files;
  readonly log: Pick<Log, "info" | "warn" | "error">;
  /** See `idempotency-key.ts`. */
  readonly keyOf: (call: Pick<ToolCall, "toolCallId" | "stepsBefore">) => Promise<string>;
  readonly context: Omit<CallContext, "toolCallId" | "idempotencyKey" | "report">;
}

/** @returns one result per call, in order. @throws only what ends the run: an abort, a lost lease */
export async function runTools(calls: AnswerCalls): Promise<ToolResultBlock[]> {
  const results = await Promise.all(calls.uses.map((use) => runTool(use, calls)));
  return results.map((result, index) => resultBlock(calls.uses[index]?.id ?? "", result));
}

/** The ledger's result of a call, as a block for the thread. */
export function resultBlock(id: string, { content, isError }: KeptResult): ToolResultBlock {
  return { type: "tool_result", tool_use_id: id, content, ...(isError && { is_error: true }) };
}

type KeptResult = NonNullable<ToolCall["result"]>;

async function runTool(use: ToolUseBlock, calls: AnswerCalls): Promise<KeptResult> {
  const { ledger, tools, steps } = calls;
  const known = ledger.find(({ stepsBefore, toolCallId }) => stepsBefore === steps && toolCallId === use.id);
  if (known?.result) return known.result;
  const tool = tools.get(use.name);
  // The effects at the time of its first start: the tool's definition may have changed since.
  const effects: Effects = known?.effects ?? tool?.effects ?? "pure";
  const isUnknown = known !== undefined && effects === "unsafe";
  const contained = isUnknown || !tool || tool.contained === true;
  const call = { stepsBefore: steps, toolCallId: use.id, name: use.name, effects, contained };
  const carryOut = () =>
    inLedger(call, calls, async (context) => {
      if (isUnknown) return unknownOutcome(`The server stopped while ${use.name} ran.`);
      if (!tool) return failure(noSuchTool(use.name, tools));
      return calls.parking.call(() => tool.invoke(use.input, context));
    });
  return contained ? carryOut() : calls.tryAlone(carryOut);
}

/** Writes into the ledger and the journal that the call begins, does the work, and writes how it ended. */
async function inLedger(
  call: Omit<ToolCall, "result">,
  calls: AnswerCalls,
  work: (context: CallContext) => Promise<ToolResult>,
): Promise<KeptResult> {
  const { journal, files } = calls;
  const reports = new Reports(call, calls);
  const { toolCallId, name } = call;
  const idempotencyKey = await calls.keyOf(call);
  const context: CallContext = { ...calls.context, toolCallId, idempotencyKey, report: reports.take };
  const stepName = `tool:${name}:${toolCallId}`;
  await journal.checkpoint({ toolCalls: [{ ...call, result: null }] }, [{ type: "STEP_STARTED", stepName }]);
  // The run was canceled during that write: nothing may start any more.
  context.signal.throwIfAborted();
  const { content: given, isError, output } = await work(context).finally(() => reports.end());
  // The run was canceled meanwhile and is over: an answer that nobody waits for must not look like a result.
  context.signal.throwIfAborted();
  const { principal, signal } = context;
  const content = await keepParts(given, { files, principal, name, signal });
  signal.throwIfAborted();
  const result = { content, isError };
  await journal.checkpoint({ toolCalls: [{ ...call, result }] }, [
    {
      type: "TOOL_CALL_RESULT",
      messageId: newId("msg"),
      toolCallId,
      content: resultInJournal(content),
      role: "tool",
      ...(isError && { isError: true }),
    },
    ...(output ? [customEvent("evenkeel.tool_output", { tool_call_id: toolCallId, text: output })] : []),
    { type: "STEP_FINISHED", stepName },
  ]);
  return result;
}

const MAX_NAMES = 40;

/** The tools of an MCP server may have gone since the model was told of them. */
export function noSuchTool(name: string, tools: Tools): string {
  const names = [...tools.keys()];
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : "";
  const there = names.length === 0 ? "There are none now" : `There are: ${names.slice(0, MAX_NAMES).join(", ")}${more}`;
  return `There is no tool ${name}. ${there}.`;
}

/** Passes on what a call reports while it runs: progress to the journal, lines to the log. */
class Reports {
  readonly #toolCallId: string;
  readonly #tool: string;
  readonly #calls: AnswerCalls;
  #isOver = false;

  constructor({ toolCallId, name }: Omit<ToolCall, "result">, calls: AnswerCalls) {
    this.#toolCallId = toolCallId;
    this.#tool = name;
    this.#calls = calls;
  }

  readonly take = (report: CallReport): void => {
    const { journal, log, context } = this.#calls;
    // A run that has ended has its last event: no event may follow.
    if (this.#isOver || context.signal.aborted) return;
    const tool_call_id = this.#toolCallId;
    if (report.type === "log")
      log[report.level]({ run_id: context.runId, tool: this.#tool, tool_call_id }, report.text);
    else if (typeof report.progress === "number")
      journal.emit(customEvent("evenkeel.progress", { tool_call_id, fraction: report.progress }));
    else journal.emit(customEvent("evenkeel.progress", { tool_call_id, text: report.progress }));
  };

  end(): void {
    this.#isOver = true;
  }
}
