/** What the author of a tool writes. Every file in `config/tools/` exports one: `export const tool = defineTool({ … })`. */
import type { z } from "zod";
import type { Effects } from "../../engine/engine.ts";

export interface ToolContext {
  /** Aborted when the run is canceled or the tool's time is up: pass it on to whatever waits. */
  readonly signal: AbortSignal;
  readonly runId: string;
  readonly threadId: string;
  readonly toolCallId: string;
  /** No other call has it, and this one has it again when it is repeated after a crash. */
  readonly idempotencyKey: string;
}

export interface ToolDefinition<Schema extends z.ZodType> {
  /** For the model: what it does and when to use it. */
  readonly description: string;
  /** What the model has to send. Arguments that do not fit go back to it as an error. */
  readonly input: Schema;
  /**
   * May it run again when the process died in the middle of it? `pure` and `idempotent` ones do; an
   * `unsafe` one (the default) is reported to the model as "outcome unknown" instead.
   */
  readonly effects?: Effects;
  /** Default 60 s. */
  readonly timeoutMs?: number;
  /** Returns text, or anything JSON can say. Throwing tells the model why. */
  readonly run: (input: z.output<Schema>, context: ToolContext) => unknown;
}

/** A definition with its defaults. */
export interface DefinedTool extends Required<Omit<ToolDefinition<z.ZodType>, "run">> {
  readonly run: (input: unknown, context: ToolContext) => unknown;
}

export function defineTool<Schema extends z.ZodType>(definition: ToolDefinition<Schema>): DefinedTool {
  const { description, input, effects = "unsafe", timeoutMs = 60_000, run } = definition;
  // `runDefined` parses with `input` before it calls `run`, which is what makes this narrowing true.
  return { description, input, effects, timeoutMs, run: run as DefinedTool["run"] };
}
