/**
 * The words of a /sim line: how each is written, what values it takes, what it puts into the draft.
 * Called by directives.ts, one look-up a word; pure. A new word is one line in WORDS.
 */
import { errorTypes, type ErrorType, typeOfStatus } from "./errors.ts";
import { isRecord, type JsonObject } from "./json.ts";

/** What goes wrong. At most one a line, so that it is plain what a test asks for. */
export type Fault =
  | { readonly kind: "stall" | "cut" | "reset" | "badjson" }
  | { readonly kind: "bigline"; readonly bytes: number }
  | { readonly kind: "error"; readonly type: ErrorType }
  | { readonly kind: "status"; readonly type: ErrorType; readonly retryAfterSeconds: number | undefined };

/** A call that the line asks for; without `input` the tool's schema decides. */
export interface DirectedCall {
  readonly name: string;
  readonly input?: JsonObject;
}

/** What a line has said so far. */
export interface Draft {
  tokens: number | undefined;
  thinking: number;
  rate: number | undefined;
  ttftMs: number | undefined;
  calls: DirectedCall[];
  loop: boolean;
  drip: boolean;
  faults: Fault[];
  times: number | undefined;
  retryAfterSeconds: number | undefined;
}

interface Word {
  readonly usage: string;
  /** Takes the value into the draft; false when it makes no sense. */
  readonly read: (draft: Draft, value: string) => boolean;
}

const MAX_DELAY_MS = 3_600_000;

export const WORDS: Readonly<Record<string, Word>> = {
  tokens: number("tokens=N", { max: 1_000_000, whole: true }, (draft, value) => (draft.tokens = value)),
  thinking: number("thinking=N", { max: 1_000_000, whole: true }, (draft, value) => (draft.thinking = value)),
  rate: number("rate=TOKENS_PER_SECOND", { max: 1_000_000 }, (draft, value) => (draft.rate = value)),
  ttft: number("ttft=MS", { max: MAX_DELAY_MS }, (draft, value) => (draft.ttftMs = value)),
  tool: { usage: "tool=NAME", read: readTool },
  input: { usage: "input={json}", read: readInput },
  loop: flag("loop", (draft) => (draft.loop = true)),
  drip: flag("drip", (draft) => (draft.drip = true)),
  stall: flag("stall", (draft) => draft.faults.push({ kind: "stall" })),
  cut: flag("cut", (draft) => draft.faults.push({ kind: "cut" })),
  reset: flag("reset", (draft) => draft.faults.push({ kind: "reset" })),
  badjson: flag("badjson", (draft) => draft.faults.push({ kind: "badjson" })),
  bigline: number("bigline=BYTES", { min: 1, max: 64 * 1024 * 1024, whole: true }, (draft, bytes) =>
    draft.faults.push({ kind: "bigline", bytes }),
  ),
  error: { usage: "error=TYPE", read: readError },
  status: { usage: "status=CODE", read: readStatus },
  times: number("times=N", { min: 1, max: 1_000_000, whole: true }, (draft, value) => (draft.times = value)),
  retry_after: number("retry_after=SECONDS", { max: MAX_DELAY_MS / 1000 }, (draft, value) => {
    draft.retryAfterSeconds = value;
  }),
};

interface Range {
  readonly min?: number;
  readonly max: number;
  readonly whole?: boolean;
}

function number(usage: string, { min = 0, max, whole }: Range, take: (draft: Draft, value: number) => unknown): Word {
  const read = (draft: Draft, value: string): boolean => {
    const parsed = /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
    const fits = parsed >= min && parsed <= max && (!whole || Number.isInteger(parsed));
    if (fits) take(draft, parsed);
    return fits;
  };
  return { usage, read };
}

function flag(usage: string, take: (draft: Draft) => unknown): Word {
  const read = (draft: Draft, value: string): boolean => {
    take(draft);
    return value === "";
  };
  return { usage, read };
}

// A name that is not in `tools` is let through: models do invent tools, and an agent must survive it.
function readTool(draft: Draft, name: string): boolean {
  draft.calls.push({ name });
  return /^[a-zA-Z0-9_-]{1,128}$/.test(name);
}

function readInput(draft: Draft, json: string): boolean {
  const call = draft.calls.pop();
  const input = parseJson(json);
  if (!call || call.input || !isRecord(input)) return false;
  draft.calls.push({ name: call.name, input });
  return true;
}

function readError(draft: Draft, value: string): boolean {
  const type = errorTypes.find((known) => known === value);
  if (type) draft.faults.push({ kind: "error", type });
  return type !== undefined;
}

function readStatus(draft: Draft, value: string): boolean {
  const type = typeOfStatus(Number(value));
  if (type) draft.faults.push({ kind: "status", type, retryAfterSeconds: undefined });
  return type !== undefined;
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
