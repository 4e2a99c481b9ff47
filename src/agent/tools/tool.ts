/** What the author of a tool writes. Every file in `config/tools/` exports one: `export const tool = defineTool({ … })`. */
import type { z } from "zod";
import type { Effects } from "../../engine/engine.ts";
import type { CallData } from "./invoke.ts";

/** What a call learns of itself. A delegated run has the principal and the metadata of the run that delegated it. */
export interface ToolContext extends CallData {
  /** Aborted when the run is canceled or the tool's time is up: pass it on to whatever waits. */
  readonly signal: AbortSignal;
  /** Ends with `signal`, so that a request does not outlive its call. */
  readonly fetch: typeof fetch;
  /** Lines in the server's log, with the ids of the run and the call. More than 100 a call are dropped. */
  readonly log: Readonly<Record<"info" | "warn" | "error", (text: string) => void>>;
  /** Shown to those who watch the run: words, or a part of 1. Ten times a second at most; the newest counts. */
  readonly progress: (progress: string | number) => void;
}

/**
 * Where a tool runs. `thread`: one thread per tool, which its calls share while it answers. `process`: one call at a
 * time in a process of its own, for native and for untrusted code. `inline`: on the event loop of the agent process,
 * for what only waits; what it blocks or kills is the agent process.
 */
export const ISOLATIONS = ["thread", "process", "inline"] as const;
export type Isolation = (typeof ISOLATIONS)[number];

export interface ToolDefinition<Schema extends z.ZodType> {
  /** For the model: what it does and when to use it. */
  readonly description: string;
  /** What the model has to send. Arguments that do not fit go back to it as an error. */
  readonly input: Schema;
  /**
   * May it run again when its process died in the middle of it? `pure` and `idempotent` ones do; an
   * `unsafe` one (the default) is reported to the model as "outcome unknown" instead.
   */
  readonly effects?: Effects;
  /** Default "thread". */
  readonly isolation?: Isolation;
  /** Time limit of one call. Default 60 s. */
  readonly timeoutMs?: number;
  /** Memory of the tool's thread or process. Default 256. */
  readonly memoryMb?: number;
  /** Returns text, or anything JSON can say, or `ToolParts` when there are pictures. Throwing tells the model why. */
  readonly run: (input: z.output<Schema>, context: ToolContext) => unknown;
}

/**
 * What a tool returns when it has more to show than text: the model sees it, and so does who watches the run. Bytes, or
 * base64; the first bytes say which kind of picture or document it is. What is no file that a model reads is left out,
 * and the model is told so.
 */
export interface ToolParts {
  readonly content: readonly (
    | { readonly type: "text"; readonly text: string }
    /** PNG, JPEG, GIF or WebP: up to 3.75 MiB, 8,000 pixels long at most. */
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

/** Checked at boot by `describe.ts`, which knows the file to name. */
export function defineTool<Schema extends z.ZodType>(definition: ToolDefinition<Schema>): DefinedTool {
  // `runDefined` parses with `input` before it calls `run`, which is what makes this narrowing true.
  return { ...DEFAULTS, ...(definition as unknown as DefinedTool) };
}
