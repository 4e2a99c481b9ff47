/**
 * A thread as the model gets it, built turn by turn. Rendered messages never change: a longer thread begins with the
 * bytes of the shorter one, which the model's prompt cache needs, and a further step renders only what is new.
 * `toModel` renders a whole thread in one call; the loop keeps one `Transcript` per run.
 */
import type { FinishReason } from "../../core/run.ts";
import type { Compaction, Message } from "../../core/message.ts";
import type { Turn } from "../../engine/engine.ts";
import { repeats, unsentTurn } from "../../engine/rules/unsent.ts";
import {
  asWords,
  isPaused,
  renderAnswer,
  serverCalls,
  storedBlocks,
  textOf,
  unavailable,
  type ServerCall,
  type StoredBlock,
} from "./assistant-blocks.ts";
import { CallNames } from "./call-names.ts";
import { charactersOf, compactionOf } from "./compaction.ts";
import { mediaOr } from "./media.ts";
import { textBlock, type Audience, type ModelBlock, type ModelMessage } from "./model-message.ts";
import {
  bounded,
  cleared,
  noResultOf,
  resultAsText,
  resultOf,
  truthOf,
  withoutMedia,
  type OpenCall,
  type Result,
  type ResultContent,
} from "./tool-results.ts";

const BEGINNING_MISSING = "(The beginning of this conversation is missing.)";
const GO_ON = "Go on.";

/** The pure form: any stored thread as a request that the API accepts. */
export function toModel(turns: readonly Turn[], audience: Audience): readonly ModelMessage[] {
  return new Transcript(audience, turns).messages;
}

export class Transcript {
  readonly audience: Audience;
  readonly #messages: { role: ModelMessage["role"]; content: ModelBlock[] }[] = [];
  readonly #names = new CallNames();
  // Calls of the last message that have no result yet, and the turn that they belong to.
  #open: { readonly calls: readonly OpenCall[]; readonly turn: Turn } | undefined;
  // Server tools that the last message called and that have no result in it.
  #serverCalls: ServerCall[] = [];
  // Notes that go to the model with the user's next message.
  #notes: string[] = [];
  #turn: Turn | undefined;
  #sentTurn: Turn | undefined;
  // True when the last message is an answer that has to be sent back unchanged, to be continued.
  #paused = false;
  readonly #compaction: Compaction | undefined;
  // Place of the next message in the whole thread.
  #place = 0;
  #characters = 0;

  /**
   * @param turns all of the thread so far
   * @param compaction decides which messages are left out; the newest one by default
   */
  constructor(audience: Audience, turns: readonly Turn[], compaction = compactionOf(turns)) {
    this.audience = audience;
    this.#compaction = compaction;
    const { summary } = this.#compaction ?? {};
    if (summary !== undefined) this.#append("user", [textBlock(summary.toWellFormed())]);
    for (const turn of turns) this.#add(turn);
  }

  /** The length in characters, about. */
  get characters(): number {
    return this.#characters;
  }

  /** Adds a turn at the end, with the messages that it has so far. */
  #add(turn: Turn): void {
    const { from = 0 } = this.#compaction ?? {};
    const begins = this.#place;
    const isRepeat = repeats(turn, this.#turn) && begins - (this.#turn?.messages.length ?? 0) >= from;
    const before = this.#sentTurn;
    this.#turn = turn;
    this.#paused = false;
    if (unsentTurn(turn)) {
      this.#place += turn.messages.length;
      return;
    }
    if (begins + turn.messages.length > from) this.#sentTurn = turn;
    if (begins < from) return this.#pushAll(turn.messages);
    // The repeated message is left out, and still asks for an answer.
    if (isRepeat) this.#append("user", this.#takeClosing());
    // Without an answer in between, the model would read two messages, one of them given up, as a single one.
    else if (before && this.#messages.at(-1)?.role === "user") this.#append("assistant", [unanswered(before)]);
    if (isRepeat) this.#place += 1;
    this.#pushAll(isRepeat ? turn.messages.slice(1) : turn.messages);
  }

  #pushAll(messages: readonly Message[]): void {
    for (const message of messages) this.push(message);
  }

  /** Adds a message to the last turn. */
  push(message: Message): void {
    this.#place += 1;
    if (this.#place <= (this.#compaction?.from ?? 0) || message.compaction) return;
    if (message.role === "assistant") this.#pushAnswer(message);
    else this.#pushUser(message);
  }

  /** The messages to send now. Calls without a result get one, and the user speaks last unless an answer is paused. */
  get messages(): readonly ModelMessage[] {
    const closing = this.#closing();
    if (closing.length === 0) return this.#messages;
    const before = this.#messages.slice(0, -1);
    const last = this.#messages.at(-1);
    if (!last) return [{ role: "user", content: closing }];
    if (last.role === "user") return [...before, { ...last, content: [...last.content, ...closing] }];
    const answer = { ...last, content: [...last.content, ...this.#serverCalls.map(unavailable)] };
    return [...before, answer, { role: "user", content: closing }];
  }

  #pushAnswer(message: Message): void {
    const { blocks, calls } = renderAnswer(message, this.audience, this.#names);
    if (blocks.length > 0) {
      this.#append("user", this.#takeClosing());
      this.#append("assistant", blocks);
      if (calls.length > 0 && this.#turn) this.#open = { calls, turn: this.#turn };
      this.#paused = isPaused(message);
    }
    if (message.cut) this.#notes.push(cutNote(message.cut));
    if (message.note) this.#notes.push(message.note);
  }

  #pushUser({ content, note }: Message): void {
    const { answers, rest } = this.#answers(storedBlocks(content));
    const said = [...this.#notesAsBlocks(), ...rest.flatMap(userBlock)];
    this.#notes = [];
    this.#open = undefined;
    const blocks = [...answers, ...said];
    // Behind results alone, a text block of its own would look like a person's message.
    if (note !== undefined && said.length === 0) this.#append("user", withNote(answers, note));
    else if (note !== undefined) this.#append("user", [...blocks, noteBlock(note)]);
    // An empty message still asks for an answer.
    else this.#append("user", blocks.length > 0 ? blocks : this.#takeClosing());
  }

  /** The results of all open calls, which the API wants first in the message, and the other blocks. */
  #answers(stored: readonly StoredBlock[]): { answers: ModelBlock[]; rest: StoredBlock[] } {
    if (!this.#open) return { answers: [], rest: [...stored] };
    const { calls, turn } = this.#open;
    const rest = [...stored];
    const results = calls.map((call) => {
      const at = rest.findIndex(({ type, tool_use_id: id }) => type === "tool_result" && id === call.storedId);
      const [result] = at < 0 ? [] : rest.splice(at, 1);
      if (result) return resultOf(result);
      // A ledger is final once its turn is over, so the rendering stays the same from then on.
      return turn === this.#turn ? noResultOf(call) : truthOf(call, turn);
    });
    return { answers: this.#answerBlocks(calls, results), rest };
  }

  #answerBlocks(calls: readonly OpenCall[], results: readonly Result[]): ModelBlock[] {
    const { hasTools, maxResultCharacters } = this.audience;
    const isCleared = this.#place <= (this.#compaction?.cleared_before ?? 0);
    const shown = bounded(isCleared ? results.map(cleared) : results, maxResultCharacters);
    if (!hasTools) return shown.flatMap((result, index) => resultAsText((calls[index] as OpenCall).name, result));
    const split = shown.map(withoutMedia);
    const blocks = split.map(({ result: { content, isError } }, index) => {
      const { id } = calls[index] as OpenCall;
      return { type: "tool_result", tool_use_id: id, content, ...(isError && { is_error: true }) };
    });
    return [...blocks, ...split.flatMap(({ media }) => media)];
  }

  /** The blocks that have to stand between the last message and an answer. */
  #closing(): ModelBlock[] {
    const said = [...this.#answers([]).answers, ...this.#notesAsBlocks()];
    const last = this.#messages.at(-1);
    if (said.length > 0) return said;
    if (!last) return [textBlock(BEGINNING_MISSING)];
    return last.role === "assistant" && !this.#paused ? [textBlock(GO_ON)] : [];
  }

  #takeClosing(): ModelBlock[] {
    const closing = this.#closing();
    this.#open = undefined;
    this.#notes = [];
    return closing;
  }

  #notesAsBlocks(): ModelBlock[] {
    return this.#notes.map(noteBlock);
  }

  #append(role: ModelMessage["role"], blocks: readonly ModelBlock[]): void {
    if (blocks.length === 0) return;
    this.#characters += charactersOf(blocks);
    if (role === "assistant") this.#serverCalls = serverCalls(this.#serverCalls, blocks);
    else this.#messages.at(-1)?.content.push(...this.#serverCalls.splice(0).map(unavailable));
    const last = this.#messages.at(-1);
    if (last?.role === role) last.content.push(...blocks);
    else this.#messages.push({ role, content: [...blocks] });
  }
}

/** A block of a user's message that is no result. Pictures, documents and blocks of any other type go as they came. */
function userBlock(block: StoredBlock): ModelBlock[] {
  switch (block.type) {
    case "text":
      return textOf(block);
    case "tool_result":
      return asWords("a tool answered", block["content"]);
    case "tool_use":
      return asWords("a tool was called", block["input"]);
    case "server_tool_use":
      return asWords("a tool was called", block["input"]);
    case "thinking":
    case "redacted_thinking":
      return [];
    default:
      return [mediaOr(block)];
  }
}

function withNote(answers: readonly ModelBlock[], note: string): ModelBlock[] {
  const last = answers.at(-1);
  if (last?.type !== "tool_result") return [...answers, noteBlock(note)];
  const content = last["content"] as ResultContent;
  const parts = typeof content === "string" ? [textBlock(content)] : content;
  return [...answers.slice(0, -1), { ...last, content: [...parts, noteBlock(note)] }];
}

function unanswered({ status }: Turn): ModelBlock {
  const why = status === "canceled" ? "the run was canceled" : status === "failed" ? "the run failed" : "it was empty";
  return textBlock(`[No answer: ${why}.]`);
}

function noteBlock(note: string): ModelBlock {
  return textBlock(`[${note}]`.toWellFormed());
}

function cutNote(reason: FinishReason): string {
  switch (reason) {
    case "max_tokens":
      return "The answer above was cut off at its token limit.";
    case "canceled":
      return "The answer above was stopped before its end.";
    case "time_limit":
      return "The answer above was cut off: the time was up.";
    default:
      return "The answer above was cut off before its end.";
  }
}
