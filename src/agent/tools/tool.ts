/** What the author of a tool writes. Every file in `config/tools/` exports one: `export const tool = defineTool({ … })`. */
import type { z } from "zod";
import type { Effects } from "../../engine/engine.ts";
import type { CallData } from "./invoke.ts";

/** What a call learns about itself. A delegated run has the principal and the metadata of the run that delegated it. */
export interface ToolContext extends CallData {
  /** Aborted when the run is canceled or the tool's time is up. Pass it on to everything that waits. */
  readonly signal: AbortSignal;
  /** A `fetch` that ends with `signal`, so that a request does not outlive its call. */
  readonly fetch: typeof fetch;
  /** Writes lines to the server's log, with the ids of the run and the call. Lines beyond 100 per call are dropped. */
  readonly log: Readonly<Record<"info" | "warn" | "error", (text: string) => void>>;
  /**
   * Shows progress to readers of the run: words, or a fraction of 1. Shown ten times a second at most; the newest
   * counts.
   */
  readonly progress: (progress: string | number) => void;
}

/**
 * Where a tool runs. `thread`: one thread per tool, which its calls share while it answers. `process`: one call at a
 * time in a process of its own, for native and for untrusted code. `inline`: on the event loop of the agent process,
 * for tools that only wait; a tool that blocks or crashes there blocks or crashes the agent process.
 */
export const ISOLATIONS = ["thread", "process", "inline"] as const;
export type Isolation = (typeof ISOLATIONS)[number];

export interface ToolDefinition<Schema extends z.ZodType> {
  /** For the model: what the tool does and when to use it. */
  readonly description: string;
  /** The shape of the arguments. Arguments that do not fit are answered to the model with an error. */
  readonly input: Schema;
  /**
   * Whether a call may run again after its process died in the middle of it. `pure` and `idempotent` calls run again;
   * an `unsafe` call (the default) is reported to the model as "outcome unknown" instead.
   */
  readonly effects?: Effects;
  /** Default "thread". */
  readonly isolation?: Isolation;
  /** Time limit of one call. Default 60 s. */
  readonly timeoutMs?: number;
  /** Memory of the tool's thread or process. Default 256. */
  readonly memoryMb?: number;
  /**
   * Returns text, or any value that JSON can represent, or `ToolParts` for pictures. When it throws, the model reads
   * why.
   */
  readonly run: (input: z.output<Schema>, context: ToolContext) => unknown;
}

/**
 * Returned by a tool that has more to show than text: the model sees the parts, and so do readers of the run. Data is
 * bytes or base64; its first bytes tell the type of picture or document. Data that is no file that a model can read is
 * left out, and the model is told so.
 */
export interface ToolParts {
  readonly content: readonly (
    | { readonly type: "text"; readonly text: string }
    /** A PNG, JPEG, GIF or WebP picture of up to 3.75 MiB, with sides of at most 8,000 pixels. */
    | { readonly type: "image"; readonly data: Uint8Array | string }
    /** A PDF. */
    | { readonly type: "document"; readonly data: Uint8Array | string }
  )[];
}

/** A definition with its defaults. */
export interface DefinedTool extends Required<Omit<ToolDefinition<z.ZodType>, "run">> {
  readonly run: (input: unknown, context: ToolContext) => unknown;
}

const DEFAULTS = { effects: "unsafe", isolation: "thread", timeoutMs: 60_000, memoryMb: 256 } as const;

/** Checks nothing: `describe.ts` does so at boot, because it knows the name of the file. */
export function defineTool<Schema extends z.ZodType>(definition: ToolDefinition<Schema>): DefinedTool {
  // This narrowing is safe, because `runDefined` parses with `input` before it calls `run`.
  return { ...DEFAULTS, ...(definition as unknown as DefinedTool) };
}
