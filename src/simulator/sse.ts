/**
 * The server-sent events of the Messages API as strings, one function an event.
 * Called by steps.ts for each event sent. Never holds state; the envelope around a delta's text is built by
 * concatenation and only the text itself is escaped, because a bench sends a hundred thousand of these a second.
 */
import type { ScriptBlock } from "./script.ts";

export const PING = 'event: ping\ndata: {"type": "ping"}\n\n';

export const MESSAGE_STOP = event("message_stop", {});

/** A delta whose JSON ends early. */
export const BROKEN_DELTA =
  'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_de\n\n';

export function event(type: string, fields: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
}

export function errorEvent(body: object): string {
  return `event: error\ndata: ${JSON.stringify(body)}\n\n`;
}

const DELTA_FIELD = {
  text: '"text_delta","text":',
  thinking: '"thinking_delta","thinking":',
  tool_use: '"input_json_delta","partial_json":',
  server_tool_use: '"input_json_delta","partial_json":',
  // The block is sent in one piece and has no delta.
  server_tool_result: "",
} as const;

/** The beginning of a block's delta events, up to the text. It is built once for each block. */
export function deltaPrefix(index: number, type: ScriptBlock["type"]): string {
  return `event: content_block_delta\ndata: {"type":"content_block_delta","index":${index},"delta":{"type":${DELTA_FIELD[type]}`;
}

export const delta = (prefix: string, text: string): string => `${prefix}${JSON.stringify(text)}}}\n\n`;

export const signatureDelta = (index: number, signature: string): string =>
  event("content_block_delta", { index, delta: { type: "signature_delta", signature } });
