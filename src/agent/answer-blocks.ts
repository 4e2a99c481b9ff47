/** The content blocks of a streamed answer: how each goes into the journal, and what of it into the thread. */
import type { RawContentBlockDelta, RawContentBlockStartEvent } from "@anthropic-ai/sdk/resources/messages";
import { newId } from "../core/id.ts";
import type { ContentBlock } from "../core/message.ts";
import { BrokenAnswer } from "./model-error.ts";
import type { RunJournal } from "./run-journal.ts";

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
export function beginBlock(begun: Begun, journal: RunJournal): Block | undefined {
  switch (begun.type) {
    case "text":
      return textBlock(begun, journal);
    case "thinking":
      return thinkingBlock(begun, journal);
    case "redacted_thinking":
      return { delta: () => {}, stop: () => {}, content: () => ({ type: begun.type, data: begun.data }) };
    case "tool_use":
      return toolUseBlock(begun, journal);
    default:
      return undefined;
  }
}

function textBlock({ type, text: first }: BegunAs<"text">, journal: RunJournal): Block {
  const messageId = newId("msg");
  let text = "";
  const say = (more: string) => {
    text += more;
    journal.text("TEXT_MESSAGE_CONTENT", messageId, more);
  };
  journal.emit({ type: "TEXT_MESSAGE_START", messageId, role: "assistant" });
  // Not every endpoint sends this field, which the API leaves empty.
  say(first ?? "");
  return {
    delta: (delta) => delta.type === "text_delta" && say(delta.text),
    stop: () => journal.emit({ type: "TEXT_MESSAGE_END", messageId }),
    // The API refuses empty text in a history.
    content: () => (text === "" ? undefined : { type, text }),
  };
}

function thinkingBlock({ type, thinking: first, signature: signed }: BegunAs<"thinking">, journal: RunJournal): Block {
  const messageId = newId("msg");
  let thinking = "";
  let signature = signed;
  const think = (more: string) => {
    thinking += more;
    journal.text("REASONING_MESSAGE_CONTENT", messageId, more);
  };
  journal.emit({ type: "REASONING_START", messageId });
  journal.emit({ type: "REASONING_MESSAGE_START", messageId, role: "reasoning" });
  think(first ?? "");
  return {
    delta: (delta) => {
      if (delta.type === "thinking_delta") think(delta.thinking);
      if (delta.type === "signature_delta") signature = delta.signature;
    },
    stop: () => {
      journal.emit({ type: "REASONING_MESSAGE_END", messageId });
      journal.emit({ type: "REASONING_END", messageId });
    },
    content: () => ({ type, thinking, signature }),
  };
}

function toolUseBlock({ type, id, name, input }: BegunAs<"tool_use">, journal: RunJournal): Block {
  let json = "";
  journal.emit({ type: "TOOL_CALL_START", toolCallId: id, toolCallName: name });
  return {
    delta: (delta) => {
      if (delta.type !== "input_json_delta") return;
      json += delta.partial_json;
      journal.args(id, delta.partial_json);
    },
    stop: () => journal.emit({ type: "TOOL_CALL_END", toolCallId: id }),
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
