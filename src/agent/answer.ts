/**
 * One streamed answer of the Messages API: it goes into the journal event by event, and into the thread once it is
 * whole. Fed by `model.ts` with every event (https://docs.claude.com/en/docs/build-with-claude/streaming).
 */
import type {
  RawContentBlockStartEvent,
  RawMessageStreamEvent,
  StopReason,
} from "@anthropic-ai/sdk/resources/messages";
import type { ContentBlock } from "../core/message.ts";
import { NO_USAGE, type Usage } from "../core/run.ts";
import { beginBlock, type AnswerJournal, type Block } from "./answer-blocks.ts";
import { BrokenAnswer } from "./model-error.ts";

export interface Answer {
  /** The blocks of the answer that go into the thread. */
  readonly content: readonly ContentBlock[];
  readonly usage: Usage;
  readonly stopReason: StopReason | null;
}

/** Counters of the whole answer so far. A counter that does not apply or has not changed is left out or null. */
type Counters = { readonly [counter in keyof Usage]?: number | null };

/** Reasons to stop that cut an answer in the middle. */
const CUT: ReadonlySet<StopReason | null> = new Set(["max_tokens", "model_context_window_exceeded"]);

export function isCut(stopReason: StopReason | null): boolean {
  return CUT.has(stopReason);
}

/** The token count of an answer comes at its end. Of an answer that broke off, only the characters are known. */
const CHARACTERS_A_TOKEN = 4;

export class AnswerReader {
  readonly #journal: AnswerJournal;
  // In the order in which the blocks began.
  readonly #blocks: Block[] = [];
  // By index. Events for a block that has ended are ignored, because the journal has its end already.
  readonly #open = new Map<number, Block>();
  // Ids of this answer's tool calls: some endpoints give two calls the same id.
  readonly #ids = new Set<string>();
  #usage = NO_USAGE;
  #characters = 0;
  #stopReason: StopReason | null = null;
  #state: "none" | "begun" | "whole" = "none";

  constructor(journal: AnswerJournal) {
    this.#journal = journal;
  }

  /** @throws BrokenAnswer when a second answer begins */
  see(event: RawMessageStreamEvent): void {
    switch (event.type) {
      case "message_start":
        if (this.#state !== "none") throw new BrokenAnswer("the model began its answer twice");
        this.#state = "begun";
        return this.#count(event.message.usage);
      case "content_block_start":
        return this.#begin(event);
      case "content_block_delta":
        this.#characters += charactersIn(event);
        return this.#open.get(event.index)?.delta(event.delta);
      case "content_block_stop":
        return this.#end(event.index);
      case "message_delta":
        this.#stopReason = event.delta.stop_reason;
        return this.#count(event.usage);
      case "message_stop":
        if (this.#state === "begun") this.#state = "whole";
    }
  }

  /** @throws BrokenAnswer when the stream ended before `message_stop`, or a server tool's arguments are not JSON */
  whole(): Answer {
    if (this.#state !== "whole") throw new BrokenAnswer("the answer broke off: it ended before message_stop");
    const cut = isCut(this.#stopReason);
    const content = this.#blocks.flatMap((block) => block.content(cut) ?? []);
    return { content, usage: this.#usage, stopReason: this.#stopReason };
  }

  /** The text that was read so far, for an answer that will not be whole. */
  get said(): ContentBlock[] {
    return this.#blocks.flatMap((block) => block.said() ?? []);
  }

  /** What this attempt costs, whether or not its answer is whole. */
  get usage(): Usage {
    if (this.#state !== "begun") return this.#usage;
    const spoken = Math.ceil(this.#characters / CHARACTERS_A_TOKEN);
    return { ...this.#usage, output_tokens: Math.max(this.#usage.output_tokens, spoken) };
  }

  #begin({ index, content_block: begun }: RawContentBlockStartEvent): void {
    // The block at this index was never ended, and its index is used again.
    this.#end(index);
    const block = beginBlock(begun, this.#journal, this.#ids);
    this.#blocks.push(block);
    this.#open.set(index, block);
  }

  #end(index: number): void {
    this.#open.get(index)?.stop();
    this.#open.delete(index);
  }

  #count(counters: Counters | undefined): void {
    const { input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens } = this.#usage;
    this.#usage = {
      input_tokens: counters?.input_tokens ?? input_tokens,
      output_tokens: counters?.output_tokens ?? output_tokens,
      cache_read_input_tokens: counters?.cache_read_input_tokens ?? cache_read_input_tokens,
      cache_creation_input_tokens: counters?.cache_creation_input_tokens ?? cache_creation_input_tokens,
    };
  }
}

/** Counts characters of text, thinking or arguments. */
export function charactersIn(event: RawMessageStreamEvent): number {
  if (event.type !== "content_block_delta") return 0;
  switch (event.delta.type) {
    case "text_delta":
      return event.delta.text.length;
    case "thinking_delta":
      return event.delta.thinking.length;
    case "input_json_delta":
      return event.delta.partial_json.length;
    default:
      return 0;
  }
}
