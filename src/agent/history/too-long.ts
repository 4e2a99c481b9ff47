/** Whether a model refused a request because it is too long, in the words of several endpoints. Pure. */
import { hasCode } from "../../core/errors.ts";

export interface TooLong {
  readonly tokens: number;
  /** What the request may have, without the answer. */
  readonly maximum: number;
}

/**
 * No model is this small: a maximum below it was misread, or `maxTokens` takes the whole window. A shorter conversation
 * would not help.
 */
export const SMALLEST_TOKENS = 1_000;

const ABOUT_CONTEXT = /prompt is too long|context (?:length|limit|window|size)|too many (?:input )?tokens/i;
const ABOUT_TOKENS = /maximum.*tokens/i;
/** The agent's own `maxTokens` or `thinking` is too large. */
const ABOUT_ANSWER = /output tokens|completion tokens|max_tokens|budget_tokens|maximum tokens/i;
/** Of words whose figures have no commas. */
const SIZES = [
  // "212000 tokens > 200000 maximum"
  /(?<!\d)(?<input>\d+) tokens? > (?<window>\d+)/,
  // "188240 + 21333 > 200000"
  /(?<!\d)(?<input>\d+) \+ (?<answer>\d+) > (?<window>\d+)/,
  // "(4096 > 8192 - 8000)"
  /\((?<answer>\d+) > (?<window>\d+) - (?<input>\d+)\)/,
  // "maximum context length is 8192 tokens. However, you requested 9000 tokens (8000 in the messages, 1000 in the
  // completion)"
  /maximum \w+ length is (?<window>\d+)\D+\d+ tokens \((?<input>\d+) in \D+(?<answer>\d+) in the completion/i,
  // "maximum context length is 8192 tokens. However, you requested 1000 output tokens and your prompt contains 8000
  // input tokens"
  /maximum \w+ length is (?<window>\d+)\D+(?<answer>\d+) output tokens\D+(?<input>\d+) input tokens/i,
  // "maximum context length is 8192 tokens. However, you requested 9000 tokens"; "maximum prompt length is 8192 but the
  // request contains 9000 tokens"
  /maximum \w+ length is (?<window>\d+)\D+(?<input>\d+)/i,
] as const;

/** @param estimated the length by our own count, used when the endpoint gives no figures */
export function tooLongIn(error: unknown, estimated: number): TooLong | undefined {
  const message = error instanceof Error ? error.message : "";
  if (!hasCode(error, "MODEL_REJECTED") || !isAboutLength(message)) return undefined;
  const tooLong = sizesIn(message) ?? { tokens: estimated, maximum: Math.floor(0.7 * estimated) };
  return tooLong.maximum < SMALLEST_TOKENS ? undefined : tooLong;
}

function isAboutLength(message: string): boolean {
  return ABOUT_CONTEXT.test(message) || (ABOUT_TOKENS.test(message) && !ABOUT_ANSWER.test(message));
}

function sizesIn(message: string): TooLong | undefined {
  const words = message.replaceAll(/(?<=\d),(?=\d)/g, "");
  for (const pattern of SIZES) {
    const { input, answer = 0, window } = pattern.exec(words)?.groups ?? {};
    if (input !== undefined) return { tokens: Number(input), maximum: Number(window) - Number(answer) };
  }
  return undefined;
}
