/**
 * A script as the steps of one response: the bytes to write, the moments to wait for, and how it ends.
 * Called by messages.ts, pulled by Playback; pure generators, so a waiting stream holds a position and no text.
 * Faults that happen inside a response live here; those that are an HTTP status never get this far.
 */
import { errorBody } from "./errors.ts";
import type { NewId } from "./ids.ts";
import { type Deltas, joined, type Script, type ScriptBlock } from "./script.ts";
import {
  blockStart,
  blockStop,
  BROKEN_DELTA,
  delta,
  deltaPrefix,
  errorEvent,
  event,
  MESSAGE_STOP,
  PING,
  signatureDelta,
} from "./sse.ts";
import type { Fault } from "./words.ts";

/** A step that means: go on when the next token is due. */
export const TOKEN = Symbol("token");

/** How a response ends; "stall" leaves it open. */
export type Ending = "complete" | "cut" | "reset" | "stall" | "error";

export type Steps = Generator<string | typeof TOKEN, Ending, void>;

export interface Scene {
  readonly script: Script;
  readonly fault: Fault | undefined;
  readonly requestId: string;
  readonly newId: NewId;
}

export function* streamSteps(scene: Scene): Steps {
  const { script, fault, newId } = scene;
  const { blocks, stopReason, outputTokens } = script;
  yield event("message_start", { message: message(script, newId("msg")) });
  const faultAt = faultPosition(blocks, fault);
  let sent = 0;
  for (const [index, block] of blocks.entries()) {
    yield blockStart(index, block, block.type === "tool_use" ? newId("toolu") : "");
    if (index === 0) yield PING;
    const prefix = deltaPrefix(index, block.type);
    for (let position = 0; position < block.deltas.count; position++) {
      yield TOKEN;
      yield delta(prefix, block.deltas.at(position));
      const ending = ++sent === faultAt ? yield* strike(scene, prefix) : undefined;
      if (ending) return ending;
    }
    if (block.type === "thinking") yield signatureDelta(index, block.signature);
    yield blockStop(index);
  }
  // An empty answer has no first delta to break behind: it breaks here.
  const ending = faultAt === 0 ? yield* strike(scene, deltaPrefix(0, "text")) : undefined;
  if (ending) return ending;
  yield event("message_delta", {
    delta: { stop_reason: stopReason, stop_sequence: null },
    usage: { output_tokens: outputTokens },
  });
  yield MESSAGE_STOP;
  return "complete";
}

/** The same answer as one JSON body, after the time that streaming it would have taken. */
export function* wholeSteps({ script, fault, newId }: Scene): Steps {
  const tokens = script.blocks.reduce((sum, { deltas }) => sum + deltas.count, 0);
  for (let token = 0; token < Math.max(1, tokens); token++) yield TOKEN;
  if (fault?.kind === "stall") return "stall";
  const body = JSON.stringify({
    ...message(script, newId("msg")),
    content: script.blocks.map((block) => content(block, newId)),
    stop_reason: script.stopReason,
    usage: usage(script.inputTokens, script.outputTokens),
  });
  if (fault?.kind === "cut" || fault?.kind === "reset" || fault?.kind === "badjson") {
    yield body.slice(0, body.length / 2);
    return fault.kind === "reset" ? "reset" : "cut";
  }
  yield body;
  return "complete";
}

/** The number of deltas before the fault: one, but a cut falls in the middle of the last block. -1 for never. */
function faultPosition(blocks: readonly ScriptBlock[], fault: Fault | undefined): number {
  if (!fault) return -1;
  const counts = blocks.map(({ deltas }) => deltas.count);
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (fault.kind !== "cut") return Math.min(1, total);
  const last = counts.at(-1) ?? 0;
  return total - Math.floor(last / 2);
}

/** Writes what the fault writes; undefined lets the response go on behind it. */
function* strike({ fault, requestId }: Scene, prefix: string): Generator<string, Ending | undefined, void> {
  if (fault?.kind === "stall" || fault?.kind === "cut" || fault?.kind === "reset") return fault.kind;
  if (fault?.kind === "badjson") yield BROKEN_DELTA;
  if (fault?.kind === "bigline") yield delta(prefix, "x".repeat(fault.bytes));
  if (fault?.kind !== "error") return undefined;
  yield errorEvent(errorBody(fault.type, `Ordered by /sim error=${fault.type}`, requestId));
  return "error";
}

const message = ({ model, inputTokens }: Script, id: string): object => ({
  id,
  type: "message",
  role: "assistant",
  model,
  content: [],
  stop_reason: null,
  stop_sequence: null,
  usage: usage(inputTokens, 1),
});

const usage = (inputTokens: number, outputTokens: number): object => ({
  input_tokens: inputTokens,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
  output_tokens: outputTokens,
});

function content(block: ScriptBlock, newId: NewId): object {
  if (block.type === "text") return { type: "text", text: joined(block.deltas) };
  if (block.type === "tool_use") {
    return { type: "tool_use", id: newId("toolu"), name: block.name, input: wholeInput(block.deltas) };
  }
  return { type: "thinking", thinking: joined(block.deltas), signature: block.signature };
}

/** Input that max_tokens cut short is no JSON; the API hands out an empty object then. */
function wholeInput(deltas: Deltas): unknown {
  try {
    return JSON.parse(joined(deltas));
  } catch {
    return {};
  }
}
