/**
 * A run as OpenAI's chat completions (https://platform.openai.com/docs/api-reference/chat-streaming): the text of all
 * model calls as one assistant message, thinking as `reasoning_content`. Tools run on the server and do not show.
 *
 * The protocol cannot take text back. When an attempt makes text void that was sent already, the stream ends with an
 * error, because a program would take the doubled text for the answer; the run itself goes on.
 */
import type { CustomValues } from "../core/event.ts";
import type { TokenUsage } from "@ag-ui/core";
import { dataLine, DONE, type StoredEvent, type StreamEncoder } from "./encoder.ts";
import { openAiError } from "./openai-error.ts";

export interface ChatCompletionOptions {
  /** The agent's id, as the client named it. */
  readonly model: string;
  /** `stream_options.include_usage`: one more chunk with the token counts. */
  readonly includeUsage: boolean;
  /**
   * The reply is JSON: it is sent whole at the end, without what the model said before its tool calls, and without a
   * reply that did not fit.
   */
  readonly isJson?: boolean;
}

type FinishReason = "stop" | "length" | "content_filter";

/** At the limit of steps or time the model still gives a last answer, so that is a "stop". A budget leaves it no call. */
const FINISH_REASONS: Readonly<Record<string, FinishReason>> = {
  max_tokens: "length",
  budget: "length",
  refusal: "content_filter",
};

/** Between the texts of two model calls. */
const PARAGRAPH = "\n\n";

export class ChatCompletionStream implements StreamEncoder {
  readonly headers = {};
  readonly #options: ChatCompletionOptions;
  #head = { id: "", created: 0 };
  // The text message that is being sent; an id that an attempt may name as void.
  #sentIds = new Set<string>();
  #lastTextId: string | undefined;
  #hasText = false;
  #isOver = false;

  constructor(options: ChatCompletionOptions) {
    this.#options = options;
  }

  encode(event: StoredEvent): string {
    if (this.#isOver) return "";
    switch (event.type) {
      case "RUN_STARTED":
        this.#head = headOf(event);
        return this.#chunk({ role: "assistant", content: "" });
      case "TEXT_MESSAGE_CONTENT":
        return this.#text(event.messageId, event.delta);
      case "REASONING_MESSAGE_CONTENT":
        return this.#chunk({ reasoning_content: event.delta });
      case "CUSTOM":
        return event.name === "evenkeel.attempt" ? this.#attempt(event.value as CustomValues["evenkeel.attempt"]) : "";
      case "RUN_FINISHED":
      case "RUN_ERROR":
        return this.#end(event);
      default:
        return "";
    }
  }

  #text(messageId: string, delta: string): string {
    if (this.#options.isJson) return "";
    const isNext = this.#hasText && messageId !== this.#lastTextId;
    this.#lastTextId = messageId;
    this.#hasText = true;
    this.#sentIds.add(messageId);
    return this.#chunk({ content: isNext ? PARAGRAPH + delta : delta });
  }

  #attempt({ void: voided, reason }: CustomValues["evenkeel.attempt"]): string {
    if (!voided.some((id) => this.#sentIds.has(id))) return "";
    return this.#fail(`The answer broke off and is made again (${reason}); what was sent so far does not count.`);
  }

  #end(event: Extract<StoredEvent, { type: "RUN_FINISHED" | "RUN_ERROR" }>): string {
    if (event.type === "RUN_ERROR") return this.#fail(event.message, event.code);
    if (event.outcome?.type === "cancelled") return this.#fail("The run was canceled.", "RUN_CANCELED");
    this.#isOver = true;
    const { isJson = false, includeUsage } = this.#options;
    const json = isJson ? this.#chunk({ content: jsonOf(event) ?? replyOf(event) }) : "";
    const finished = this.#line({ choices: [{ index: 0, delta: {}, finish_reason: finishReasonOf(event) }] });
    const usage = includeUsage ? this.#line({ choices: [], usage: usageOf(event.usage) }) : "";
    return `${json}${finished}${usage}${DONE}`;
  }

  #fail(message: string, code?: string): string {
    this.#isOver = true;
    return `${dataLine(openAiError({ message, type: "server_error", code: code ?? null }))}${DONE}`;
  }

  #chunk(delta: object): string {
    return this.#line({ choices: [{ index: 0, delta, finish_reason: null }] });
  }

  #line(fields: object): string {
    return dataLine({ ...this.#head, object: "chat.completion.chunk", model: this.#options.model, ...fields });
  }
}

/** The journal of a run that is completed, as the answer to a request without `stream`. Void text is left out. */
export async function chatCompletionOf(events: AsyncIterable<StoredEvent>, model: string): Promise<object> {
  // Texts by message id, in the order in which the messages began.
  const texts = { content: new Map<string, string>(), reasoning: new Map<string, string>() };
  let head = {};
  let end: object = {};
  let json: string | undefined;
  for await (const event of events) {
    if (event.type === "RUN_STARTED") head = headOf(event);
    if (event.type === "TEXT_MESSAGE_CONTENT") append(texts.content, event);
    if (event.type === "REASONING_MESSAGE_CONTENT") append(texts.reasoning, event);
    if (event.type === "CUSTOM" && event.name === "evenkeel.attempt") drop(Object.values(texts), event.value);
    if (event.type === "RUN_FINISHED") json = jsonOf(event);
    if (event.type === "RUN_FINISHED") end = { finish_reason: finishReasonOf(event), usage: usageOf(event.usage) };
  }
  const { finish_reason, usage } = end as { finish_reason?: FinishReason; usage?: object };
  const [content, reasoning] = [texts.content, texts.reasoning].map((parts) => [...parts.values()].join(PARAGRAPH));
  const message = {
    role: "assistant",
    content: json ?? content,
    refusal: null,
    ...(reasoning && { reasoning_content: reasoning }),
  };
  return {
    ...head,
    object: "chat.completion",
    model,
    choices: [{ index: 0, message, logprobs: null, finish_reason }],
    usage,
  };
}

function headOf({ runId, timestamp }: Extract<StoredEvent, { type: "RUN_STARTED" }>) {
  return { id: `chatcmpl-${runId}`, created: Math.floor(timestamp / 1000) };
}

function drop(texts: readonly Map<string, string>[], value: unknown): void {
  const { void: voided } = value as CustomValues["evenkeel.attempt"];
  for (const id of voided) for (const parts of texts) parts.delete(id);
}

function append(texts: Map<string, string>, { messageId, delta }: { messageId: string; delta: string }): void {
  texts.set(messageId, (texts.get(messageId) ?? "") + delta);
}

function finishReasonOf(event: Extract<StoredEvent, { type: "RUN_FINISHED" }>): FinishReason {
  const { finish_reason: reason = "stop" } = (event.result ?? {}) as { finish_reason?: string };
  return FINISH_REASONS[reason] ?? "stop";
}

/** The reply of a run that was asked for JSON, and whose model may have put a fence around it. */
function jsonOf({ result }: Extract<StoredEvent, { type: "RUN_FINISHED" }>): string | undefined {
  const { output } = (result ?? {}) as { output?: unknown };
  return output === undefined ? undefined : JSON.stringify(output);
}

function replyOf({ result }: Extract<StoredEvent, { type: "RUN_FINISHED" }>): string {
  return ((result ?? {}) as { reply?: string | null }).reply ?? "";
}

function usageOf([tokens]: readonly TokenUsage[] = []): object {
  const prompt = tokens?.inputTokens ?? 0;
  const completion = tokens?.outputTokens ?? 0;
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: tokens?.cachedInputTokens ?? 0 },
  };
}
