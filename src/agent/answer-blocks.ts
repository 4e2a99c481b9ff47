/** The content blocks of a streamed answer: what each block adds to the journal, and what to the thread. */
import type { RawContentBlockDelta, RawContentBlockStartEvent } from "@anthropic-ai/sdk/resources/messages";
import { shownCitation } from "../core/citation.ts";
import { customEvent } from "../core/event.ts";
import { newId } from "../core/id.ts";
import { isDeeper, MAX_JSON_LEVELS } from "../core/json-levels.ts";
import type { Citation, ContentBlock } from "../core/message.ts";
import type { RunJournal } from "./run-journal.ts";
import { BrokenAnswer } from "./model-error.ts";

/** Shows an answer while it comes. */
export type AnswerJournal = Pick<RunJournal, "emit" | "text" | "args">;

export interface Block {
  delta(delta: RawContentBlockDelta): void;
  stop(): void;
  /**
   * The block that the thread keeps; undefined for none.
   * @param isCut the answer stopped in the middle
   * @throws BrokenAnswer
   */
  content(isCut: boolean): ContentBlock | undefined;
  /** The block that the thread keeps when the answer broke off. */
  said(): ContentBlock | undefined;
}

type Begun = RawContentBlockStartEvent["content_block"];
type BegunAs<T extends Begun["type"]> = Extract<Begun, { type: T }>;

/** @param ids the ids of the answer's tool calls so far; the id of a new call is added */
export function beginBlock(begun: Begun, journal: AnswerJournal, ids: Set<string>): Block {
  switch (begun.type) {
    case "text":
      return textBlock(begun, journal);
    case "thinking":
      return thinkingBlock(begun, journal);
    case "tool_use":
      return toolUseBlock({ ...begun, id: ownId(begun.id, ids) }, journal);
    case "server_tool_use":
      return serverToolBlock(begun, journal);
    default:
      showResult(begun, journal);
      return asItCame(begun);
  }
}

/**
 * Shows in the journal, as a tool's result, what a tool of the API returned. The journal gets a part, the thread all of
 * it.
 */
function showResult(begun: Begun, journal: AnswerJournal): void {
  if (!("tool_use_id" in begun) || typeof begun.tool_use_id !== "string") return;
  const { tool_use_id: toolCallId, content } = begun as { tool_use_id: string; content?: unknown };
  const text = (JSON.stringify(content) ?? "").slice(0, MAX_RESULT_CHARACTERS).toWellFormed();
  journal.emit({ type: "TOOL_CALL_RESULT", messageId: newId("msg"), toolCallId, content: text });
}

/** Pages that a search found are long, and a reader of the journal only needs to see what was found. */
const MAX_RESULT_CHARACTERS = 16 * 1024;

/** The most citations of one text; further ones are left out. */
const MAX_CITATIONS = 200;

function textBlock({ type, text: first }: BegunAs<"text">, journal: AnswerJournal): Block {
  const messageId = newId("msg");
  let text = "";
  const citations: Citation[] = [];
  const say = (more: string) => {
    text += more;
    journal.text("TEXT_MESSAGE_CONTENT", messageId, more);
  };
  const content = () => (text === "" ? undefined : { type, text, ...(citations.length > 0 && { citations }) });
  journal.emit({ type: "TEXT_MESSAGE_START", messageId, role: "assistant" });
  // The API leaves this field empty, and some endpoints do not send it.
  say(first ?? "");
  return {
    delta: (delta) => {
      if (delta.type === "text_delta") say(delta.text);
      if (delta.type !== "citations_delta" || citations.length === MAX_CITATIONS) return;
      citations.push(delta.citation as unknown as Citation);
      journal.emit(customEvent("evenkeel.citation", { message_id: messageId, ...shownCitation(delta.citation) }));
    },
    stop: () => journal.emit({ type: "TEXT_MESSAGE_END", messageId }),
    content,
    said: content,
  };
}

function thinkingBlock(
  { type, thinking: first, signature: signed }: BegunAs<"thinking">,
  journal: AnswerJournal,
): Block {
  const messageId = newId("msg");
  let thinking = "";
  let signature = signed ?? "";
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
    said: () => undefined,
  };
}

function toolUseBlock({ type, id, name, input }: BegunAs<"tool_use">, journal: AnswerJournal): Block {
  const args = toolArguments({ id, name, input }, journal);
  return {
    ...args,
    content: (isCut) => {
      const whole = args.whole();
      if (whole && !(isCut && args.json() === "")) return { type, id, name, input: whole.input };
      // A tool must never run with half its arguments, or with none. The model is told why this call did not run.
      return { type, id, name, input: {}, ...(isCut ? { cut: true as const } : { not_json: args.beginning() }) };
    },
    said: () => undefined,
  };
}

/** How many characters are shown of arguments that cannot be used. */
const MAX_SHOWN_CHARACTERS = 200;

/** The tool runs at the API, which sends its result in a block of its own. */
function serverToolBlock(begun: BegunAs<"server_tool_use">, journal: AnswerJournal): Block {
  const args = toolArguments(begun, journal);
  return {
    ...args,
    content: (isCut) => {
      const whole = args.whole();
      if (isCut && (!whole || args.json() === "")) return undefined;
      // The API has run the tool with arguments that we cannot read, so neither the call nor its result can be sent
      // back.
      if (!whole) throw new BrokenAnswer(`the arguments of tool ${begun.name} are not JSON that can be read`);
      return { ...begun, input: whole.input } as unknown as ContentBlock;
    },
    said: () => undefined,
  };
}

/**
 * Results of server tools, and blocks of types that are newer than this file: they are sent back exactly as they came.
 */
function asItCame(begun: Begun): Block {
  return {
    delta: () => {},
    stop: () => {},
    content: () => begun as unknown as ContentBlock,
    said: () => undefined,
  };
}

interface Call {
  readonly id: string;
  readonly name: string;
  readonly input: unknown;
}

function toolArguments({ id, name, input }: Call, journal: AnswerJournal) {
  let json = "";
  const parsed = () => (json === "" ? { value: input } : parse(json));
  journal.emit({ type: "TOOL_CALL_START", toolCallId: id, toolCallName: name });
  return {
    delta: (delta: RawContentBlockDelta) => {
      if (delta.type !== "input_json_delta") return;
      json += delta.partial_json;
      journal.args(id, delta.partial_json);
    },
    stop: () => journal.emit({ type: "TOOL_CALL_END", toolCallId: id }),
    /** The pieces joined; empty when the block came whole at its beginning. */
    json: () => json,
    /** Undefined when the pieces are not JSON, or nested too deeply to be stored. */
    whole: (): { input: unknown } | undefined => {
      const given = parsed();
      return given && !isDeeper(given.value) ? { input: given.value ?? {} } : undefined;
    },
    /** Of arguments that cannot be used, for the model to see. */
    beginning: () => {
      const begin = json.slice(0, MAX_SHOWN_CHARACTERS).toWellFormed();
      return isDeeper(parsed()?.value) ? `(nested more than ${MAX_JSON_LEVELS} levels deep) ${begin}` : begin;
    },
  };
}

function parse(json: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(json) as unknown };
  } catch {
    return undefined;
  }
}

/**
 * The journal, the ledger and the model tell calls apart by their ids, so every call of an answer needs an id of its
 * own.
 */
function ownId(given: string | undefined, ids: Set<string>): string {
  const id = given && !ids.has(given) ? given : newId("toolu");
  ids.add(id);
  return id;
}
