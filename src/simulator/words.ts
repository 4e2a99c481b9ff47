/**
 * The words of a /sim line: how each is written, which values it takes, and what it sets in the draft. Called by
 * directives.ts, one look-up a word; pure. A new word is one line in WORDS.
 */
import { errorTypes, type ErrorType, typeOfStatus } from "./errors.ts";
import { isRecord, type JsonObject, parseJson } from "./json.ts";

/** Words for faults. A line may have one of them at most, so that a test is easy to read. */
export type Fault =
  | { readonly kind: "stall" | "cut" | "reset" | "badjson" }
  /** A web page, or the whole message as JSON, where an event stream was asked for. */
  | { readonly kind: "html" | "plain" }
  /** The answer is silent after the first delta, and then goes on. */
  | { readonly kind: "silent"; readonly ms: number; readonly pingEveryMs: number | undefined }
  | { readonly kind: "bigline"; readonly bytes: number }
  | { readonly kind: "error"; readonly type: ErrorType }
  | { readonly kind: "status"; readonly type: ErrorType; readonly retryAfterSeconds: number | undefined };

/** A call that the line asks for. Without `input` and `args` the tool's schema decides. */
export interface DirectedCall {
  readonly name: string;
  readonly input?: JsonObject;
  /** The arguments as they are sent, JSON or not. */
  readonly args?: string;
}

export const STOP_REASONS = [
  "end_turn",
  "max_tokens",
  "stop_sequence",
  "tool_use",
  "pause_turn",
  "refusal",
  "model_context_window_exceeded",
] as const;
export type StopReason = (typeof STOP_REASONS)[number];

/** Ids of tool calls: a different id for each call, the same id for all, or ids such as other vendors' models make. */
export type IdKind = "unique" | "same" | "odd";

/** The orders of the line that were read so far. */
export interface Draft {
  tokens: number | undefined;
  text: readonly string[] | undefined;
  thinking: number;
  signed: boolean;
  rate: number | undefined;
  ttftMs: number | undefined;
  calls: DirectedCall[];
  serverTools: string[];
  loop: boolean;
  drip: boolean;
  stop: StopReason | undefined;
  reportsUsage: boolean;
  ids: IdKind;
  faults: Fault[];
  times: number | undefined;
  retryAfterSeconds: number | undefined;
  pingEveryMs: number | undefined;
}

interface Word {
  readonly usage: string;
  /** Sets the value in the draft; returns false when the value makes no sense. */
  readonly read: (draft: Draft, value: string) => boolean;
}

const MAX_DELAY_MS = 3_600_000;
const PING_EVERY_MS = 1_000;

export const WORDS: Readonly<Record<string, Word>> = {
  tokens: number("tokens=N", { max: 1_000_000, whole: true }, (draft, value) => (draft.tokens = value)),
  text: { usage: "text=JSON", read: readText },
  thinking: number("thinking=N", { max: 1_000_000, whole: true }, (draft, value) => (draft.thinking = value)),
  unsigned: flag("unsigned", (draft) => (draft.signed = false)),
  rate: number("rate=TOKENS_PER_SECOND", { max: 1_000_000 }, (draft, value) => (draft.rate = value)),
  ttft: number("ttft=MS", { max: MAX_DELAY_MS }, (draft, value) => (draft.ttftMs = value)),
  tool: { usage: "tool=NAME", read: readTool },
  input: { usage: "input={json}", read: readInput },
  args: { usage: "args=JSON", read: readArgs },
  ids: choice("ids=same|odd", ["same", "odd"], (draft, kind) => (draft.ids = kind)),
  server_tool: { usage: "server_tool=NAME", read: readServerTool },
  loop: flag("loop", (draft) => (draft.loop = true)),
  stop: choice("stop=REASON", STOP_REASONS, (draft, reason) => (draft.stop = reason)),
  usage: choice("usage=none", ["none"], (draft) => (draft.reportsUsage = false)),
  drip: flag("drip", (draft) => (draft.drip = true)),
  ...faults("stall", "cut", "reset", "badjson", "html", "plain"),
  silent: number("silent=SECONDS", { max: MAX_DELAY_MS / 1000 }, (draft, seconds) =>
    draft.faults.push({ kind: "silent", ms: seconds * 1000, pingEveryMs: undefined }),
  ),
  pings: { usage: "pings[=MS]", read: readPings },
  bigline: number("bigline=BYTES", { min: 1, max: 64 * 1024 * 1024, whole: true }, (draft, bytes) =>
    draft.faults.push({ kind: "bigline", bytes }),
  ),
  error: choice("error=TYPE", errorTypes, (draft, type) => draft.faults.push({ kind: "error", type })),
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

function choice<T extends string>(
  usage: string,
  values: readonly T[],
  take: (draft: Draft, value: T) => unknown,
): Word {
  const read = (draft: Draft, value: string): boolean => {
    const chosen = values.find((known) => known === value);
    if (chosen !== undefined) take(draft, chosen);
    return chosen !== undefined;
  };
  return { usage, read };
}

/** Faults that a word alone names. */
function faults(...kinds: ("stall" | "cut" | "reset" | "badjson" | "html" | "plain")[]): Record<string, Word> {
  return Object.fromEntries(kinds.map((kind) => [kind, flag(kind, (draft) => draft.faults.push({ kind }))]));
}

// A name that is not in `tools` is let through: models do invent tools, and an agent must survive it. A quoted name may
// also break the API's pattern for names.
function readTool(draft: Draft, value: string): boolean {
  const quoted = parseJson(value);
  const name = typeof quoted === "string" ? quoted : value;
  draft.calls.push({ name });
  return typeof quoted === "string" || /^[a-zA-Z0-9_-]{1,128}$/.test(name);
}

function readInput(draft: Draft, json: string): boolean {
  const input = parseJson(json);
  return isRecord(input) && completeCall(draft, { input });
}

function readArgs(draft: Draft, args: string): boolean {
  return completeCall(draft, { args });
}

/** The word belongs to the last `tool=`, which must not have arguments yet. */
function completeCall(draft: Draft, rest: Omit<DirectedCall, "name">): boolean {
  const call = draft.calls.pop();
  if (!call || call.input || call.args !== undefined) return false;
  draft.calls.push({ name: call.name, ...rest });
  return true;
}

function readServerTool(draft: Draft, name: string): boolean {
  draft.serverTools.push(name);
  return /^[a-z_]{1,64}$/.test(name);
}

/** A list of deltas, or one delta. */
function readText(draft: Draft, json: string): boolean {
  const value = parseJson(json);
  const deltas = typeof value === "string" ? [value] : value;
  if (!Array.isArray(deltas) || !deltas.every((delta) => typeof delta === "string")) return false;
  draft.text = deltas;
  return true;
}

function readPings(draft: Draft, value: string): boolean {
  const ms = value === "" ? PING_EVERY_MS : Number(value);
  draft.pingEveryMs = ms;
  return Number.isInteger(ms) && ms >= 1 && ms <= MAX_DELAY_MS;
}

function readStatus(draft: Draft, value: string): boolean {
  const type = typeOfStatus(Number(value));
  if (type) draft.faults.push({ kind: "status", type, retryAfterSeconds: undefined });
  return type !== undefined;
}
