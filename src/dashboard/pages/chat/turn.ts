/** One turn of a conversation: the question, and the run that answers it, live or stored. */
import { toolUsesOf, type StoredMessage, type UnsentReason } from "../../../core/message.ts";
import { isSameSource, shownCitation, type ShownCitation } from "../../../core/citation.ts";
import { resultInJournal } from "../../../core/event.ts";
import type { ErrorInfo } from "../../../core/errors.ts";
import { isOver, type FinishReason, type Run } from "../../../core/run.ts";
import type { Problem } from "../../live/api-error.ts";
import type { Strategy } from "../../live/messages.ts";
import type { LiveRun } from "../../run-view/live-run.ts";
import { questionOf, type Question } from "../../run-view/question.ts";
import type { ShownTool } from "../../run-view/tool-call.tsx";
import { shownResult, type ShownResult } from "../../run-view/tool-result.ts";

export interface Turn {
  readonly runId: string;
  /** Null until the thread's messages have arrived. */
  readonly asked: Question | null;
  readonly agentId: string | null;
  /** Set for a run that this page has seen running. */
  readonly live: LiveRun | null;
  /** The answer of a run that was over when the page was opened. */
  readonly stored: readonly AnswerPart[];
  readonly end: {
    readonly status: Run["status"];
    readonly reason: FinishReason | null;
    readonly error: ErrorInfo | null;
  } | null;
  /** Why the model does not see the question; null when it does. */
  readonly unsent: UnsentReason | null;
  /** Set until the server has the run: the message is being sent, or the reason why it was refused. */
  readonly sending: "sending" | Problem | null;
  /** The strategy with which this page sends, or sent, the message. */
  readonly strategy: Strategy;
  /** The stored run; null for a run that began while the page was open. */
  readonly row: Pick<Run, "finished_at" | "created_at" | "usage"> | null;
}

export type AnswerPart =
  | { readonly kind: "text"; readonly text: string; readonly citations?: readonly ShownCitation[] }
  | { readonly kind: "thought"; readonly text: string }
  | { readonly kind: "tool"; readonly id: string; readonly tool: ShownTool };

/** True while the newest answer is being written, so that the end of the conversation moves by itself. */
export function growthOf(turns: readonly Turn[] | null): "empty" | "growing" | "still" {
  if (!turns || turns.length === 0) return "empty";
  const last = turns.at(-1)?.live?.view.items.at(-1);
  return last && "isOpen" in last && last.isOpen ? "growing" : "still";
}

/**
 * The turn that is being answered: the oldest one that is not over, as the runs of a thread come one after the other.
 */
export function answeringOf(turns: readonly Turn[] | null): Turn | undefined {
  return turns?.find(isUnderWay);
}

/** A turn that waits for the answer to an earlier one. */
export function isBehind(turns: readonly Turn[], turn: Turn): boolean {
  const first = answeringOf(turns);
  return first !== undefined && first !== turn && isUnderWay(turn);
}

function isUnderWay(turn: Turn): boolean {
  return turn.sending === "sending" || isRunning(turn);
}

/** A server that was started with other data does not know the run any more. */
export function isRunning({ live, end }: Turn): boolean {
  return live !== null && end === null && live.view.end === null && live.error.value?.code !== "RUN_NOT_FOUND";
}

/** The turns of a stored thread, oldest first; `runs` has the state of each, as far as it is known. */
export function turnsOf(messages: readonly StoredMessage[], runs: readonly Run[]): Turn[] {
  const byRun = Map.groupBy(messages, ({ run_id: runId }) => runId);
  const rows = new Map(runs.map((run) => [run.run_id, run]));
  return [...byRun].map(([runId, own]) => {
    const row = rows.get(runId);
    const [first] = own;
    return {
      runId,
      asked: first?.role === "user" ? questionOf(first) : null,
      agentId: row?.agent_id ?? null,
      live: null,
      stored: partsOf(own.slice(1)),
      end: row && isOver(row.status) ? { status: row.status, reason: row.finish_reason, error: row.error } : null,
      unsent: first?.sent === false ? (first.why ?? "rejected") : null,
      sending: null,
      strategy: "enqueue",
      row: row ?? null,
    };
  });
}

function sourcesOf(citations: readonly object[]): ShownCitation[] {
  const shown = citations.map(shownCitation);
  return shown.filter((one, index) => shown.findIndex((other) => isSameSource(one, other)) === index);
}

function partsOf(messages: readonly StoredMessage[]): AnswerPart[] {
  const results = new Map(messages.flatMap(resultsOf));
  return messages
    .filter(({ role }) => role === "assistant")
    .flatMap((message) => {
      const tools = new Map(toolUsesOf(message).map((use) => [use.id, use]));
      if (typeof message.content === "string") return [{ kind: "text", text: message.content } as const];
      return message.content.flatMap((block): AnswerPart[] => {
        if (block.type === "text")
          return [{ kind: "text", text: block.text, citations: sourcesOf(block.citations ?? []) }];
        if (block.type === "thinking") return [{ kind: "thought", text: block.thinking }];
        const use = block.type === "tool_use" ? tools.get(block.id) : undefined;
        return use ? [{ kind: "tool", id: use.id, tool: toolOf(use, results.get(use.id)) }] : [];
      });
    });
}

interface StoredResult extends ShownResult {
  readonly isError: boolean;
}

function resultsOf({ role, content }: StoredMessage): [string, StoredResult][] {
  if (role !== "user" || typeof content === "string") return [];
  return content.flatMap((block) =>
    block.type === "tool_result"
      ? [[block.tool_use_id, { ...shownResult(resultInJournal(block.content)), isError: block.is_error === true }]]
      : [],
  );
}

function toolOf(use: { name: string; input: unknown }, result: StoredResult | undefined): ShownTool {
  const state = result ? (result.isError ? "failed" : "done") : "interrupted";
  const args = JSON.stringify(use.input) ?? "";
  const unknown = { startedAt: null, endedAt: null, progress: null, output: null };
  return { name: use.name, args, state, result: result?.text ?? null, files: result?.files ?? [], ...unknown };
}
