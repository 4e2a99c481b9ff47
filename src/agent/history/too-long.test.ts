import { expect, test } from "vitest";
import { AppError, type ErrorCode } from "../../core/errors.ts";
import { tooLongIn } from "./too-long.ts";

/** Our own count of the refused request. */
const ESTIMATED = 10_000;

test.each([
  ["prompt is too long: 212000 tokens > 200000 maximum", 212_000, 200_000],
  ["prompt is too long: 212,000 tokens > 200,000 maximum", 212_000, 200_000],
  [
    "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length or `max_tokens` and try again",
    188_240,
    178_667,
  ],
  ["This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.", 9_000, 8_192],
  [
    "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens (8000 in the messages, 1000 in the completion).",
    8_000,
    7_192,
  ],
  [
    "This model's maximum context length is 96000 tokens. However, you requested 4096 output tokens and your prompt contains at least 91905 input tokens, for a total of at least 96001 tokens. Please reduce the length of the input prompt or the number of requested output tokens.",
    91_905,
    91_904,
  ],
  [
    "'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum context length is 8192 tokens and your request has 8000 input tokens (4096 > 8192 - 8000).",
    8_000,
    4_096,
  ],
  ["This model's maximum prompt length is 131072 but the request contains 200000 tokens.", 200_000, 131_072],
])("the figures of a conversation that is too long are read: %s", (words, tokens, maximum) => {
  expect(tooLongIn(refusal(words), ESTIMATED)).toEqual({ tokens, maximum });
});

test.each([
  ["the request exceeds the available context size. try increasing the context size"],
  ["The input token count exceeds the maximum number of tokens allowed (1048576)."],
])("without all figures our own count stands for them: %s", (words) => {
  expect(tooLongIn(refusal(words), ESTIMATED)).toEqual({ tokens: ESTIMATED, maximum: 7_000 });
});

test.each([
  [
    "max_tokens: 64000 > 32000, which is the maximum allowed number of output tokens for claude-opus-4-1-20250805",
    ESTIMATED,
  ],
  ["`max_tokens` must be greater than `thinking.budget_tokens`", ESTIMATED],
  ["thinking.budget_tokens: maximum 32000 tokens", ESTIMATED],
  [
    "max_tokens is too large: 100000. This model supports at most 16384 completion tokens, whereas you provided 100000.",
    ESTIMATED,
  ],
  ["The maximum tokens you requested exceeds the model limit of 4096.", ESTIMATED],
  [
    "'max_tokens' or 'max_completion_tokens' is too large: 8000. This model's maximum context length is 8192 tokens and your request has 224 input tokens (8000 > 8192 - 224).",
    ESTIMATED,
  ],
  [
    "This model's maximum context length is 32768 tokens. However, you requested 32000 output tokens and your prompt contains at least 769 input tokens, for a total of at least 32769 tokens.",
    ESTIMATED,
  ],
  ["the request exceeds the available context size", 300],
])("a refusal that a shorter conversation would not change is no matter of its length: %s", (words, estimated) => {
  expect(tooLongIn(refusal(words), estimated)).toBeUndefined();
});

test("only a request that the model rejected was too long for it", () => {
  expect(tooLongIn(refusal("prompt is too long", "MODEL_UNAVAILABLE"), ESTIMATED)).toBeUndefined();
});

function refusal(words: string, code: ErrorCode = "MODEL_REJECTED"): AppError {
  return new AppError(code, `The model answered 400: ${words}.`);
}
