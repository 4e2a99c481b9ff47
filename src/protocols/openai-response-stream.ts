/**
 * A run as the event stream of OpenAI's Responses API
 * (https://platform.openai.com/docs/api-reference/responses-streaming). Every event has a `sequence_number` that
 * follows from the journal alone, so `starting_after` continues on any worker. Joined deltas (RETAIN_DELTAS) are one
 * event with the number of the last of them: numbers are left out then, and all others stay as they were.
 */
import { withoutDeltas, type CustomValues } from "../core/event.ts";
import type { StoredEvent, StreamEncoder } from "./encoder.ts";
import { OpenAiResponse, outputText, showItem, type Item, type ResponseOptions } from "./openai-response.ts";
import { toJson } from "../core/json.ts";

export interface ResponseStreamOptions extends ResponseOptions {
  /** The client has the events up to this `sequence_number`; -1: it has none. */
  readonly startingAfter: number;
}

/** The event types of each kind of item: for a piece of text, and for the whole text. */
const WORDS = {
  message: { delta: "response.output_text.delta", done: "response.output_text.done" },
  reasoning: { delta: "response.reasoning_summary_text.delta", done: "response.reasoning_summary_text.done" },
} as const;

const ENDS: Readonly<Record<string, string>> = {
  completed: "response.completed",
  failed: "response.failed",
  // The API has no event for a canceled response; `response.status` says which it is.
  cancelled: "response.incomplete",
  incomplete: "response.incomplete",
};

export class ResponseStream implements StreamEncoder {
  readonly headers = {};
  readonly #response: OpenAiResponse;
  readonly #startingAfter: number;
  #sequence = 0;

  constructor(options: ResponseStreamOptions) {
    this.#response = new OpenAiResponse(options);
    this.#startingAfter = options.startingAfter;
  }

  /** How many `sequence_number`s the events so far have. */
  get count(): number {
    return this.#sequence;
  }

  encode(event: StoredEvent, lengths?: readonly number[]): string {
    const item = this.#response.see(event);
    switch (event.type) {
      case "RUN_STARTED":
        return this.#whole("response.created");
      case "TEXT_MESSAGE_START":
      case "REASONING_MESSAGE_START":
        return item ? this.#begin(item) : "";
      case "TEXT_MESSAGE_CONTENT":
      case "REASONING_MESSAGE_CONTENT":
        return item ? this.#delta(item, event.delta, lengths ?? [event.delta.length]) : "";
      case "TEXT_MESSAGE_END":
      case "REASONING_MESSAGE_END":
        return item ? this.#finish(item) : "";
      case "CUSTOM":
        return this.#custom(event.name, event.value);
      case "RUN_FINISHED":
      case "RUN_ERROR":
        return this.#whole(ENDS[this.#response.status] ?? "response.failed");
      default:
        return "";
    }
  }

  #custom(name: string, value: unknown): string {
    if (name === "evenkeel.claimed") return this.#whole("response.in_progress");
    if (name !== "evenkeel.attempt") return "";
    const dropped = this.#response.drop(value as CustomValues["evenkeel.attempt"]);
    return dropped.map((item) => this.#item("response.output_item.done", item)).join("");
  }

  #begin(item: Item): string {
    const part = item.kind === "message" ? outputText("") : { type: "summary_text", text: "" };
    const name = item.kind === "message" ? "response.content_part.added" : "response.reasoning_summary_part.added";
    return `${this.#item("response.output_item.added", item)}${this.#line(name, { ...placeIn(item), part })}`;
  }

  #delta(item: Item, text: string, lengths: readonly number[]): string {
    const known = Math.max(0, this.#startingAfter + 1 - this.#sequence);
    this.#sequence += lengths.length - 1;
    const delta = known === 0 ? text : withoutDeltas(text, lengths, known);
    return this.#line(WORDS[item.kind].delta, { ...placeIn(item), delta, ...noLogprobs(item) });
  }

  #finish(item: Item): string {
    const { kind, text } = item;
    const part = kind === "message" ? outputText(text) : { type: "summary_text", text };
    const name = kind === "message" ? "response.content_part.done" : "response.reasoning_summary_part.done";
    return (
      this.#line(WORDS[kind].done, { ...placeIn(item), text, ...noLogprobs(item) }) +
      this.#line(name, { ...placeIn(item), part }) +
      this.#item("response.output_item.done", item)
    );
  }

  #item(type: string, item: Item): string {
    return this.#line(type, { output_index: item.index, item: showItem(item) });
  }

  #whole(type: string): string {
    return this.#line(type, { response: this.#response.show() });
  }

  #line(type: string, fields: object): string {
    const sequence_number = this.#sequence;
    this.#sequence += 1;
    if (sequence_number <= this.#startingAfter) return "";
    return `event: ${type}\ndata: ${toJson({ type, sequence_number, ...fields })}\n\n`;
  }
}

function placeIn({ kind, id, index }: Item): object {
  const place = { item_id: id, output_index: index };
  return kind === "message" ? { ...place, content_index: 0 } : { ...place, summary_index: 0 };
}

function noLogprobs({ kind }: Item): object {
  return kind === "message" ? { logprobs: [] } : {};
}
