/**
 * A script as the steps of one response: the bytes to write, the moments to wait for, and how it ends.
 * Called by messages.ts, pulled by Playback; pure generators, so a waiting stream holds a position and no text.
 * Faults that happen inside a response live here; those that are an HTTP status never get this far.
 */
import { blockIds, CITATION, emptyBlock, wholeBlock } from "./content.ts";
import { errorBody } from "./errors.ts";
import type { NewId } from "./ids.ts";
import type { Script, ScriptBlock } from "./script.ts";
import { Signer } from "./signature.ts";
import { BROKEN_DELTA, delta, deltaPrefix, errorEvent, event, MESSAGE_STOP, PING, signatureDelta } from "./sse.ts";
import type { Fault } from "./words.ts";

/** A step that means: go on when the next token is due. */
export const TOKEN = Symbol("token");

/** A step that means: go on this many ms later. All later tokens are delayed by the same time. */
export interface Pause {
  readonly pauseMs: number;
}

/** How a response ends; "stall" leaves it open. */
export type Ending = "complete" | "cut" | "reset" | "stall" | "error";

export type Steps = Generator<string | typeof TOKEN | Pause, Ending, void>;

type Strike = Generator<string | Pause, Ending | undefined, void>;

export interface Scene {
  readonly script: Script;
  readonly fault: Fault | undefined;
  readonly requestId: string;
  readonly newId: NewId;
}

export function* streamSteps(scene: Scene): Steps {
  const { script, fault, newId } = scene;
  const { blocks, stopReason, usage } = script;
  yield event("message_start", { message: message(script, newId("msg")) });
  const ids = blockIds(script, newId);
  const faultAt = faultPosition(blocks, fault);
  let sent = 0;
  for (const [index, block] of blocks.entries()) {
    yield event("content_block_start", { index, content_block: emptyBlock(block, ids.of(block, index)) });
    if (index === 0) yield PING;
    const prefix = deltaPrefix(index, block.type);
    const signer = block.type === "thinking" && block.signed ? new Signer(script.model) : undefined;
    for (let position = 0; position < block.deltas.count; position++) {
      yield TOKEN;
      const piece = block.deltas.at(position);
      signer?.add(piece);
      yield delta(prefix, piece);
      const ending = ++sent === faultAt ? yield* strike(scene, prefix) : undefined;
      if (ending) return ending;
    }
    if (block.type === "text" && block.cites)
      yield event("content_block_delta", { index, delta: { type: "citations_delta", citation: CITATION } });
    if (signer) yield signatureDelta(index, signer.end());
    yield event("content_block_stop", { index });
  }
  // An empty answer has no first delta after which it could break, so it breaks here.
  const ending = faultAt === 0 ? yield* strike(scene, deltaPrefix(0, "text")) : undefined;
  if (ending) return ending;
  yield event("message_delta", {
    delta: { stop_reason: stopReason, stop_sequence: null },
    ...(usage && { usage: { output_tokens: usage.outputTokens } }),
  });
  yield MESSAGE_STOP;
  return "complete";
}

/** The same answer as one JSON body, after the time that streaming it would have taken. */
export function* wholeSteps({ script, fault, newId }: Scene): Steps {
  const tokens = script.blocks.reduce((sum, { deltas }) => sum + deltas.count, 0);
  for (let token = 0; token < Math.max(1, tokens); token++) yield TOKEN;
  if (fault?.kind === "stall") return "stall";
  if (fault?.kind === "silent") yield { pauseMs: fault.ms };
  const ids = blockIds(script, newId);
  const body = JSON.stringify({
    ...message(script, newId("msg")),
    content: script.blocks.map((block, index) => wholeBlock(block, ids.of(block, index), script.model)),
    stop_reason: script.stopReason,
    usage: usageOf(script, script.usage?.outputTokens ?? 0),
  });
  if (fault?.kind === "cut" || fault?.kind === "reset" || fault?.kind === "badjson") {
    yield body.slice(0, body.length / 2);
    return fault.kind === "reset" ? "reset" : "cut";
  }
  yield body;
  return "complete";
}

/** The answer of a proxy, or of a wrong address, in place of the API's. */
export function* pageSteps(): Steps {
  yield "<!doctype html><html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>\n";
  return "complete";
}

/**
 * The number of deltas before the fault: one; for a cut, up to the middle of the last block; -1: the fault never comes.
 */
function faultPosition(blocks: readonly ScriptBlock[], fault: Fault | undefined): number {
  if (!fault) return -1;
  const counts = blocks.map(({ deltas }) => deltas.count);
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (fault.kind !== "cut") return Math.min(1, total);
  const last = counts.at(-1) ?? 0;
  return total - Math.floor(last / 2);
}

/** Writes the bytes of the fault. It returns undefined when the response goes on after the fault. */
function* strike({ fault, requestId }: Scene, prefix: string): Strike {
  switch (fault?.kind) {
    case "stall":
    case "cut":
    case "reset":
      return fault.kind;
    case "silent":
      return yield* silence(fault.ms, fault.pingEveryMs);
    case "badjson":
      yield BROKEN_DELTA;
      return undefined;
    case "bigline":
      yield delta(prefix, "x".repeat(fault.bytes));
      return undefined;
    case "error":
      yield errorEvent(errorBody(fault.type, `Ordered by /sim error=${fault.type}`, requestId));
      return "error";
    default:
      return undefined;
  }
}

function* silence(ms: number, pingEveryMs = ms): Strike {
  for (let left = ms; left > 0; left -= pingEveryMs) {
    yield { pauseMs: Math.min(left, pingEveryMs) };
    if (left > pingEveryMs) yield PING;
  }
  return undefined;
}

const message = (script: Script, id: string): object => ({
  id,
  type: "message",
  role: "assistant",
  model: script.model,
  content: [],
  stop_reason: null,
  stop_sequence: null,
  usage: usageOf(script, 1),
});

/** Undefined, so that the JSON does not have the field. */
const usageOf = ({ usage }: Script, outputTokens: number): object | undefined =>
  usage && {
    input_tokens: usage.inputTokens,
    cache_creation_input_tokens: usage.cacheWriteTokens,
    cache_read_input_tokens: usage.cacheReadTokens,
    output_tokens: outputTokens,
  };
