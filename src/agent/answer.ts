/**
 * One streamed answer of the Messages API: what it says goes into the journal event by event, and when it is whole,
 * into the thread. Fed by `model.ts` with every event (https://docs.claude.com/en/docs/build-with-claude/streaming).
 */
import type {
  RawContentBlockStartEvent,
  RawMessageStreamEvent,
  StopReason,
} from "@anthropic-ai/sdk/resources/messages";
import type { ContentBlock } from "../core/message.ts";
import { NO_USAGE, type Usage } from "../core/run.ts";
import { beginBlock, type Block } from "./answer-blocks.ts";
import { BrokenAnswer } from "./model-error.ts";
import type { RunJournal } from "./run-journal.ts";

export interface Answer {
  /** The blocks of it that go into the thread. */
  readonly content: readonly ContentBlock[];
  readonly usage: Usage;
}

/** Counters of the whole answer so far. What does not apply, or is as before, is left out or null. */
type Counters = { readonly [counter in keyof Usage]?: number | null };

/** Why an answer stops in the middle of what the model meant to say. */
const CUT: ReadonlySet<StopReason | null> = new Set(["max_tokens", "model_context_window_exceeded"]);

export class AnswerReader {
  readonly #journal: RunJournal;
  // In the order in which they began.
  readonly #blocks: Block[] = [];
  // By index: what comes for one that has ended is left out, the journal has said its end.
  readonly #open = new Map<number, Block>();
  #usage = NO_USAGE;
  #stopReason: StopReason | null = null;
  #state: "none" | "begun" | "whole" = "none";

  constructor(journal: RunJournal) {
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

  /** @throws BrokenAnswer when it ended before `message_stop`, or a tool call's arguments are not JSON */
  whole(): Answer {
    if (this.#state !== "whole") throw new BrokenAnswer("the answer broke off: it ended before message_stop");
    const isCut = CUT.has(this.#stopReason);
    const content = this.#blocks.flatMap((block) => block.content(isCut) ?? []);
    return { content, usage: this.#usage };
  }

  #begin({ index, content_block: begun }: RawContentBlockStartEvent): void {
    // One that was never ended, and has its place taken.
    this.#end(index);
    const block = beginBlock(begun, this.#journal);
    if (!block) return;
    this.#blocks.push(block);
    this.#open.set(index, block);
  }

  #end(index: number): void {
    this.#open.get(index)?.stop();
    this.#open.delete(index);
  }

  #count(counters: Counters): void {
    const { input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens } = this.#usage;
    this.#usage = {
      input_tokens: counters.input_tokens ?? input_tokens,
      output_tokens: counters.output_tokens ?? output_tokens,
      cache_read_input_tokens: counters.cache_read_input_tokens ?? cache_read_input_tokens,
      cache_creation_input_tokens: counters.cache_creation_input_tokens ?? cache_creation_input_tokens,
    };
  }
}
