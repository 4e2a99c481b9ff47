/**
 * The seam between the agent loop and whatever runs a tool: this event loop, a thread, a process, an MCP server.
 * `execute.ts` only calls `tool.invoke`, and does not know which of them runs the tool. Data, a signal and callbacks go
 * in; text and parts come out.
 */
import type { Tool as ModelTool } from "@anthropic-ai/sdk/resources/messages";
import type { Effects } from "../../engine/engine.ts";
import type { GivenContent } from "./parts.ts";

/** A tool as the agent loop holds it. */
export interface Tool {
  readonly description: string;
  /** JSON Schema of the arguments, made once at boot. */
  readonly inputSchema: ModelTool["input_schema"];
  readonly effects: Effects;
  /**
   * True when no call can end the agent process, because the work happens elsewhere. Then a suspect's calls need no
   * trial (`trials.ts`).
   */
  readonly contained?: boolean;
  readonly invoke: Invoke;
}

export type Tools = ReadonlyMap<string, Tool>;

/**
 * Makes one call of one tool. The implementation checks `input`, holds the tool's time limit, and bounds the result.
 * Never rejects: every failure is a result with `isError`, which the model reads. Resolves soon after `signal` is
 * aborted, whether or not the tool has ended by then.
 */
export type Invoke = (input: unknown, context: CallContext) => Promise<ToolResult>;

/** What an implementation learns about the call. */
export interface CallContext extends CallData {
  /** Aborted when the run ends before the call does. */
  readonly signal: AbortSignal;
  /** Replaces the tool's own time limit. */
  readonly timeoutMs?: number;
  /** Takes what the call reports while it runs. Ignored once the call has ended. */
  readonly report: (report: CallReport) => void;
}

/** `log` is a line for the server's log. `progress` is shown to readers of the run; a number is a fraction of 1. */
export type CallReport =
  | { readonly type: "log"; readonly level: "info" | "warn" | "error"; readonly text: string }
  | { readonly type: "progress"; readonly progress: string | number };

/** The data about a call that can cross into a thread or process. */
export interface CallData {
  readonly runId: string;
  readonly agentId: string;
  /** The name of the API key that asked for the run. */
  readonly principal: string;
  /** The metadata that the client sent with the run. */
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly threadId: string;
  readonly toolCallId: string;
  /** Unique to this call. A call that is repeated, after a crash or by a retry of its run, has the same key again. */
  readonly idempotencyKey: string;
}

export interface ToolResult {
  readonly content: GivenContent;
  readonly isError: boolean;
  /** The end of the call's output on stdout and stderr, for people; the model does not see it. */
  readonly output?: string;
}

export function failure(content: string): ToolResult {
  return { content, isError: true };
}
