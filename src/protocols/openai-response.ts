/**
 * A run as an OpenAI response (https://platform.openai.com/docs/api-reference/responses/object), built up event by
 * event. Each text of the model is an output item of its own, thinking is a reasoning item, and an item that an
 * attempt makes void is not part of the output. Tools run on the server and do not show.
 */
import type { TokenUsage } from "@ag-ui/core";
import type { CustomValues } from "../core/event.ts";
import type { StoredEvent } from "./encoder.ts";

export interface ResponseOptions {
  readonly model: string;
  readonly previousResponseId: string | null;
  readonly background: boolean;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface Item {
  readonly kind: "message" | "reasoning";
  readonly id: string;
  /** Its place among the output items, also when it is void later. */
  readonly index: number;
  text: string;
  state: "in_progress" | "completed" | "incomplete";
}

type Status = "queued" | "in_progress" | "completed" | "failed" | "incomplete" | "cancelled";

/** At the limit of steps or time the model still gives a last answer. A budget leaves it no call. */
const INCOMPLETE_REASONS: Readonly<Record<string, string>> = {
  max_tokens: "max_output_tokens",
  budget: "max_output_tokens",
  refusal: "content_filter",
};

export class OpenAiResponse {
  readonly #options: ResponseOptions;
  // In order of their beginning. Grows with the answer of one run, which the run's token limits bound.
  readonly #items = new Map<string, Item>();
  #runId = "";
  #createdAt = 0;
  #status: Status = "queued";
  #error: { readonly code: string; readonly message: string } | null = null;
  #incompleteReason: string | null = null;
  #usage: TokenUsage | undefined;
  #begun = 0;

  constructor(options: ResponseOptions) {
    this.#options = options;
  }

  get status(): Status {
    return this.#status;
  }

  /** @returns the item that the event belongs to, if any */
  see(event: StoredEvent): Item | undefined {
    switch (event.type) {
      case "RUN_STARTED":
        this.#runId = event.runId;
        this.#createdAt = Math.floor(event.timestamp / 1000);
        return undefined;
      case "TEXT_MESSAGE_START":
        return this.#begin("message", event.messageId);
      case "REASONING_MESSAGE_START":
        return this.#begin("reasoning", event.messageId);
      case "TEXT_MESSAGE_CONTENT":
      case "REASONING_MESSAGE_CONTENT":
        return this.#append(event.messageId, event.delta);
      case "TEXT_MESSAGE_END":
      case "REASONING_MESSAGE_END":
        return this.#finish(event.messageId);
      case "CUSTOM":
        if (event.name === "evenkeel.claimed") this.#status = "in_progress";
        return undefined;
      case "RUN_ERROR":
        this.#status = "failed";
        this.#error = { code: "server_error", message: event.message };
        return undefined;
      case "RUN_FINISHED":
        this.#end(event);
        return undefined;
      default:
        return undefined;
    }
  }

  /** What an attempt makes void. @returns the items that are no part of the output any more */
  drop({ void: voided }: CustomValues["evenkeel.attempt"]): Item[] {
    const dropped = voided.flatMap((id) => this.#items.get(id) ?? []);
    for (const item of dropped) {
      item.state = "incomplete";
      this.#items.delete(item.id);
    }
    return dropped;
  }

  /** The `response` object as it is now. */
  show() {
    const { model, previousResponseId, background, metadata } = this.#options;
    return {
      id: responseId(this.#runId),
      object: "response" as const,
      created_at: this.#createdAt,
      status: this.#status,
      background,
      error: this.#error,
      incomplete_details: this.#incompleteReason === null ? null : { reason: this.#incompleteReason },
      instructions: null,
      metadata,
      model,
      output: [...this.#items.values()].map(showItem),
      parallel_tool_calls: true,
      previous_response_id: previousResponseId,
      temperature: null,
      tool_choice: "auto",
      tools: [],
      top_p: null,
      usage: usageOf(this.#usage),
    };
  }

  #begin(kind: Item["kind"], id: string): Item {
    const item: Item = { kind, id, index: this.#begun, text: "", state: "in_progress" };
    this.#begun += 1;
    this.#items.set(id, item);
    return item;
  }

  #append(id: string, delta: string): Item | undefined {
    const item = this.#items.get(id);
    if (item) item.text += delta;
    return item;
  }

  #finish(id: string): Item | undefined {
    const item = this.#items.get(id);
    if (item) item.state = "completed";
    return item;
  }

  #end({ outcome, result, usage }: Extract<StoredEvent, { type: "RUN_FINISHED" }>): void {
    [this.#usage] = usage ?? [];
    if (outcome?.type === "cancelled") {
      this.#status = "cancelled";
      return;
    }
    const { finish_reason: reason = "stop" } = (result ?? {}) as { finish_reason?: string };
    this.#incompleteReason = INCOMPLETE_REASONS[reason] ?? null;
    this.#status = this.#incompleteReason === null ? "completed" : "incomplete";
  }
}

/** A response is a run; its id names that run. */
export function responseId(runId: string): string {
  return `resp_${runId}`;
}

/** Undefined for an id that is not ours. */
export function runIdOf(responseId: string): string | undefined {
  return responseId.startsWith("resp_") ? responseId.slice("resp_".length) : undefined;
}

export function showItem({ kind, id, text, state }: Item): object {
  // An item begins without parts: the client adds each by the event that follows.
  const isEmpty = state === "in_progress" && text === "";
  if (kind === "reasoning") return { id, type: "reasoning", summary: isEmpty ? [] : [{ type: "summary_text", text }] };
  const content = isEmpty ? [] : [outputText(text)];
  return { id, type: "message", role: "assistant", status: state, content };
}

export function outputText(text: string): object {
  return { type: "output_text", text, annotations: [], logprobs: [] };
}

function usageOf(tokens: TokenUsage | undefined): object | null {
  if (!tokens) return null;
  const { inputTokens = 0, outputTokens = 0, cachedInputTokens = 0 } = tokens;
  return {
    input_tokens: inputTokens,
    input_tokens_details: { cached_tokens: cachedInputTokens },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: inputTokens + outputTokens,
  };
}
