/**
 * Removes our own keys from an answer that a model streams: an endpoint may repeat what it was sent, and answers go to
 * journals, threads and pages. A key may come in pieces. So when the end of a text could be the beginning of a key,
 * that end is held back until the next piece, or the end of its block. Made by `model.ts` for each attempt; costs
 * nothing where there is no key.
 */
import type { RawMessageStreamEvent } from "@anthropic-ai/sdk/resources/messages";
import { REPLACEMENT } from "./secrets.ts";

type Delta = Extract<RawMessageStreamEvent, { type: "content_block_delta" }>;
type Said = { readonly field: "text" | "thinking" | "partial_json"; readonly text: string };

export class AnswerSecrets {
  readonly #secrets: readonly string[];
  // By the index of the block. Bounded by the blocks of one answer; each text is shorter than a secret.
  readonly #held = new Map<number, { readonly delta: Delta; readonly text: string }>();
  /** Blocks of thinking whose text was changed: their signature does not fit the text any more. */
  readonly #changed = new Set<number>();

  /** @param secrets the longest first */
  constructor(secrets: readonly string[]) {
    this.#secrets = secrets;
  }

  /** Returns the event without secrets; before it comes text that was held back and is no secret. */
  pass(event: RawMessageStreamEvent): RawMessageStreamEvent[] {
    if (this.#secrets.length === 0) return [event];
    switch (event.type) {
      case "content_block_start":
        return [this.#whole(event)];
      case "content_block_delta":
        return this.#delta(event);
      case "content_block_stop": {
        const held = this.#held.get(event.index);
        this.#held.delete(event.index);
        return held ? [withText(held.delta, held.text), event] : [event];
      }
      default:
        return [event];
    }
  }

  #delta(event: Delta): RawMessageStreamEvent[] {
    const { index } = event;
    const said = saidIn(event);
    if (!said) {
      if (event.delta.type !== "signature_delta") return [this.#whole(event)];
      return this.#changed.has(index) ? [] : [event];
    }
    const before = this.#held.get(index)?.text ?? "";
    const joined = before + said.text;
    const clean = this.#hide(joined);
    if (clean !== joined) this.#changed.add(index);
    const keep = this.#beginningIn(clean);
    if (keep > 0) this.#held.set(index, { delta: event, text: clean.slice(clean.length - keep) });
    else this.#held.delete(index);
    return keep === clean.length ? [] : [withText(event, clean.slice(0, clean.length - keep))];
  }

  /** Cleans events that do not come in pieces: results of the API's own tools, and citations. */
  #whole<E extends RawMessageStreamEvent>(event: E): E {
    const json = JSON.stringify(event);
    const clean = this.#hide(json);
    return clean === json ? event : (JSON.parse(clean) as E);
  }

  #hide(text: string): string {
    return this.#secrets.reduce((rest, secret) => rest.replaceAll(secret, REPLACEMENT), text);
  }

  /** How many characters at the end of the text could be the beginning of a secret. */
  #beginningIn(text: string): number {
    return Math.max(...this.#secrets.map((secret) => overlap(text, secret)));
  }
}

function overlap(text: string, secret: string): number {
  const first = secret.charAt(0);
  // Tries the longest possible beginning first. Few characters of most texts are the first one of the secret.
  let at = text.indexOf(first, Math.max(0, text.length - secret.length + 1));
  while (at >= 0 && !secret.startsWith(text.slice(at))) at = text.indexOf(first, at + 1);
  return at < 0 ? 0 : text.length - at;
}

function saidIn({ delta }: Delta): Said | undefined {
  switch (delta.type) {
    case "text_delta":
      return { field: "text", text: delta.text };
    case "thinking_delta":
      return { field: "thinking", text: delta.thinking };
    case "input_json_delta":
      return { field: "partial_json", text: delta.partial_json };
    default:
      return undefined;
  }
}

function withText(event: Delta, text: string): Delta {
  const { field } = saidIn(event) ?? { field: "text" };
  return { ...event, delta: { ...event.delta, [field]: text } };
}
