/**
 * Turns one streamed answer of the Messages API into journal events, and watches that it is whole. Fed by
 * `model.ts` with every stream event (https://docs.claude.com/en/docs/build-with-claude/streaming).
 */
import type { RawMessageStreamEvent } from "@anthropic-ai/sdk/resources/messages";
import { newId } from "../core/id.ts";
import { BrokenAnswer } from "./model-error.ts";
import type { RunLog } from "./run-log.ts";

/** How one content block goes on and ends. */
interface Block {
  delta(event: RawMessageStreamEvent & { type: "content_block_delta" }): void;
  stop(): void;
}

export class AnswerEvents {
  readonly #log: RunLog;
  readonly #blocks = new Map<number, Block>();
  /** The first tool whose arguments are not JSON. */
  #broken: string | undefined;

  constructor(log: RunLog) {
    this.#log = log;
  }

  /** @throws BrokenAnswer when a tool call's arguments are not JSON */
  see(event: RawMessageStreamEvent): void {
    if (event.type === "content_block_start") {
      const block = this.#start(event.content_block);
      if (block) this.#blocks.set(event.index, block);
    }
    if (event.type === "content_block_delta") this.#blocks.get(event.index)?.delta(event);
    if (event.type === "content_block_stop") {
      this.#blocks.get(event.index)?.stop();
      this.#blocks.delete(event.index);
    }
    // Cut off by max_tokens it is no fault: the call is left out of the answer, and never runs.
    const isDone = event.type === "message_delta" && event.delta.stop_reason !== "max_tokens";
    if (isDone && this.#broken !== undefined)
      throw new BrokenAnswer(`the arguments of tool ${this.#broken} are not JSON`);
  }

  #start(block: (RawMessageStreamEvent & { type: "content_block_start" })["content_block"]): Block | undefined {
    if (block.type === "text") return this.#text();
    if (block.type === "thinking") return this.#thinking();
    if (block.type === "tool_use") return this.#toolCall(block);
    return undefined;
  }

  #text(): Block {
    const log = this.#log;
    const messageId = newId("msg");
    log.emit({ type: "TEXT_MESSAGE_START", messageId, role: "assistant" });
    return {
      delta: ({ delta }) => delta.type === "text_delta" && log.text("TEXT_MESSAGE_CONTENT", messageId, delta.text),
      stop: () => log.emit({ type: "TEXT_MESSAGE_END", messageId }),
    };
  }

  #thinking(): Block {
    const log = this.#log;
    const messageId = newId("msg");
    log.emit({ type: "REASONING_START", messageId });
    log.emit({ type: "REASONING_MESSAGE_START", messageId, role: "reasoning" });
    return {
      delta: ({ delta }) =>
        delta.type === "thinking_delta" && log.text("REASONING_MESSAGE_CONTENT", messageId, delta.thinking),
      stop: () => {
        log.emit({ type: "REASONING_MESSAGE_END", messageId });
        log.emit({ type: "REASONING_END", messageId });
      },
    };
  }

  #toolCall({ id: toolCallId, name: toolCallName }: { id: string; name: string }): Block {
    const log = this.#log;
    let json = "";
    log.emit({ type: "TOOL_CALL_START", toolCallId, toolCallName });
    return {
      delta: ({ delta }) => {
        if (delta.type !== "input_json_delta") return;
        json += delta.partial_json;
        log.args(toolCallId, delta.partial_json);
      },
      stop: () => {
        // The SDK would hand on as much as it could parse: a tool must never run on half its arguments.
        if (json !== "" && !isJson(json)) this.#broken ??= toolCallName;
        log.emit({ type: "TOOL_CALL_END", toolCallId });
      },
    };
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
