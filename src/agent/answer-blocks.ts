/** The content blocks of a streamed answer: how each goes into the journal, and what of it into the thread. */
import type { RawContentBlockDelta, RawContentBlockStartEvent } from "@anthropic-ai/sdk/resources/messages";
import { newId } from "../core/id.ts";
import type { ContentBlock } from "../core/message.ts";
import { BrokenAnswer } from "./model-error.ts";
import type { RunLog } from "./run-log.ts";

export interface Block {
  delta(delta: RawContentBlockDelta): void;
  stop(): void;
  /**
   * What the thread keeps, if anything.
   * @param isCut the answer stopped in the middle
   * @throws BrokenAnswer
   */
  content(isCut: boolean): ContentBlock | undefined;
}

type Begun = RawContentBlockStartEvent["content_block"];
type BegunAs<T extends Begun["type"]> = Extract<Begun, { type: T }>;

/** Undefined for kinds that only server tools make. */
export function beginBlock(begun: Begun, log: RunLog): Block | undefined {
  switch (begun.type) {
    case "text":
      return textBlock(begun, log);
    case "thinking":
      return thinkingBlock(begun, log);
    case "redacted_thinking":
      return { delta: () => {}, stop: () => {}, content: () => ({ type: begun.type, data: begun.data }) };
    case "tool_use":
      return toolUseBlock(begun, log);
    default:
      return undefined;
  }
}

function textBlock({ type, text: first }: BegunAs<"text">, log: RunLog): Block {
  const messageId = newId("msg");
  let text = "";
  const say = (more: string) => {
    text += more;
    log.text("TEXT_MESSAGE_CONTENT", messageId, more);
  };
  log.emit({ type: "TEXT_MESSAGE_START", messageId, role: "assistant" });
  // Not every endpoint sends this field, which the API leaves empty.
  say(first ?? "");
  return {
    delta: (delta) => delta.type === "text_delta" && say(delta.text),
    stop: () => log.emit({ type: "TEXT_MESSAGE_END", messageId }),
    // The API refuses empty text in a history.
    content: () => (text === "" ? undefined : { type, text }),
  };
}

function thinkingBlock({ type, thinking: first, signature: signed }: BegunAs<"thinking">, log: RunLog): Block {
  const messageId = newId("msg");
  let thinking = "";
  let signature = signed;
  const think = (more: string) => {
    thinking += more;
    log.text("REASONING_MESSAGE_CONTENT", messageId, more);
  };
  log.emit({ type: "REASONING_START", messageId });
  log.emit({ type: "REASONING_MESSAGE_START", messageId, role: "reasoning" });
  think(first ?? "");
  return {
    delta: (delta) => {
      if (delta.type === "thinking_delta") think(delta.thinking);
      if (delta.type === "signature_delta") signature = delta.signature;
    },
    stop: () => {
      log.emit({ type: "REASONING_MESSAGE_END", messageId });
      log.emit({ type: "REASONING_END", messageId });
    },
    content: () => ({ type, thinking, signature }),
  };
}

function toolUseBlock({ type, id, name, input }: BegunAs<"tool_use">, log: RunLog): Block {
  let json = "";
  log.emit({ type: "TOOL_CALL_START", toolCallId: id, toolCallName: name });
  return {
    delta: (delta) => {
      if (delta.type !== "input_json_delta") return;
      json += delta.partial_json;
      log.args(id, delta.partial_json);
    },
    stop: () => log.emit({ type: "TOOL_CALL_END", toolCallId: id }),
    // A tool must never run on half its arguments: cut off, the call is no fault and left out.
    content: (isCut) => (isCut ? undefined : { type, id, name, input: json === "" ? input : argumentsOf(name, json) }),
  };
}

function argumentsOf(tool: string, json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new BrokenAnswer(`the arguments of tool ${tool} are not JSON`);
  }
}
