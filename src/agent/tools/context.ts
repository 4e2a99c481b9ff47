/**
 * Makes the context of a tool call, in the thread or process where the tool runs. Bounds the size and rate of
 * progress and log lines.
 */
import type { CallData, CallReport } from "./invoke.ts";
import { asText, reasonOf } from "./text.ts";
import type { ToolContext } from "./tool.ts";

const PROGRESS_MS = 100;
const MAX_LOG_LINES = 100;
const MAX_CHARACTERS = 1_000;

export interface CallContextParts {
  readonly data: CallData;
  readonly signal: AbortSignal;
  readonly report: (report: CallReport) => void;
}

export interface OwnedContext {
  readonly context: ToolContext;
  /** The call has ended: the last progress is dropped, and nothing more is reported. */
  readonly end: () => void;
}

export function contextFor({ data, signal, report }: CallContextParts): OwnedContext {
  const progress = new Progress((value) => report({ type: "progress", progress: value }));
  let lines = 0;
  const log = (level: "info" | "warn" | "error") => (text: string) => {
    lines += 1;
    if (lines <= MAX_LOG_LINES) report({ type: "log", level, text: lineOf(text) });
  };
  const context: ToolContext = {
    ...data,
    signal,
    fetch: (input, init) => {
      const own = init?.signal ?? (input instanceof Request ? input.signal : undefined);
      return fetch(input, { ...init, signal: joined(signal, own) });
    },
    log: { info: log("info"), warn: log("warn"), error: log("error") },
    progress: (value) => progress.say(value),
  };
  return { context, end: () => progress.stop() };
}

/** Whatever a tool logs, its call goes on: a value that cannot be shown is a line too. */
function lineOf(value: unknown): string {
  try {
    return (value instanceof Error ? reasonOf(value, "all") : asText(value)).slice(0, MAX_CHARACTERS);
  } catch (error) {
    return reasonOf(error).slice(0, MAX_CHARACTERS);
  }
}

function joined(signal: AbortSignal, own: AbortSignal | null | undefined): AbortSignal {
  return own ? AbortSignal.any([signal, own]) : signal;
}

/** Reports the newest value, at most every PROGRESS_MS. */
class Progress {
  readonly #say: (value: string | number) => void;
  #next: string | number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(say: (value: string | number) => void) {
    this.#say = say;
  }

  say(value: string | number): void {
    if (this.#isStopped) return;
    const isNumber = typeof value === "number" && value >= 0 && value <= 1;
    this.#next = isNumber ? value : String(value).slice(0, MAX_CHARACTERS).toWellFormed();
    if (!this.#timer) this.#tell();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #tell(): void {
    this.#timer = undefined;
    if (this.#next === undefined) return;
    this.#say(this.#next);
    this.#next = undefined;
    this.#timer = setTimeout(() => this.#tell(), PROGRESS_MS);
  }
}
