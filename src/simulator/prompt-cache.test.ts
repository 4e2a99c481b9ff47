/** What `usage` says of a prompt that was sent before, in whole or in part. */
import { expect, test } from "vitest";
import { PromptCache } from "./prompt-cache.ts";

const LONG = "word ".repeat(2_000);
/** With the type of its block. */
const LONG_TOKENS = Math.ceil((LONG.length + "text".length) / 3.5);
const MARK = { cache_control: { type: "ephemeral" } };

const text = (words: string, mark: object = {}): object => ({ type: "text", text: words, ...mark });
const body = (fields: object) => ({ model: "m", ...fields });

/** The whole prompt has 10,000 tokens, whatever is in it. */
const count = (cache: PromptCache, fields: object) => cache.count(body(fields), 10_000);

test("a prompt without marks is neither written nor read", () => {
  const cache = new PromptCache();
  const prompt = { system: [text(LONG)], messages: [] };

  count(cache, prompt);

  expect(count(cache, prompt)).toEqual({ inputTokens: 10_000, cacheReadTokens: 0, cacheWriteTokens: 0 });
});

test("what is marked is written the first time, and read the next", () => {
  const cache = new PromptCache();
  const prompt = { system: [text(LONG, MARK)], messages: [{ role: "user", content: "hi" }] };

  expect(count(cache, prompt)).toMatchObject({ cacheReadTokens: 0, cacheWriteTokens: LONG_TOKENS });
  expect(count(cache, prompt)).toMatchObject({ cacheReadTokens: LONG_TOKENS, cacheWriteTokens: 0 });
});

test("a conversation that grows reads what its last step wrote, and writes what is new", () => {
  const cache = new PromptCache();
  const first = { messages: [{ role: "user", content: [text(LONG, MARK)] }] };
  const second = {
    messages: [
      { role: "user", content: [text(LONG)] },
      { role: "assistant", content: [text("x".repeat(350))] },
      { role: "user", content: [text("y".repeat(350), MARK)] },
    ],
  };

  const { cacheWriteTokens: written } = count(cache, first);
  const next = count(cache, second);

  expect(next.cacheReadTokens).toBe(written);
  expect(next.cacheWriteTokens).toBeGreaterThanOrEqual(200);
});

test("a change before the mark, another model or a short prompt reads nothing", () => {
  const cache = new PromptCache();
  count(cache, { system: [text(LONG, MARK)] });

  expect(count(cache, { system: [text(`${LONG}!`, MARK)] }).cacheReadTokens).toBe(0);
  expect(count(cache, { model: "other", system: [text(LONG, MARK)] }).cacheReadTokens).toBe(0);
  expect(count(cache, { system: [text("short", MARK)] })).toEqual({
    inputTokens: 10_000,
    cacheReadTokens: 0,
    cacheWriteTokens: 0,
  });
});

test("a mark on the whole request stands for one on its last block", () => {
  const cache = new PromptCache();
  const prompt = { ...MARK, messages: [{ role: "user", content: LONG }] };

  count(cache, prompt);

  expect(count(cache, prompt).cacheReadTokens).toBeGreaterThan(0.99 * LONG_TOKENS);
});

test("what was written is forgotten after five minutes, or after an hour when the mark says so", () => {
  let now = 0;
  const cache = new PromptCache(() => now);
  const short = { system: [text(LONG, MARK)] };
  const long = { system: [text(`long ${LONG}`, { cache_control: { type: "ephemeral", ttl: "1h" } })] };
  count(cache, short);
  count(cache, long);

  now = 6 * 60_000;

  expect(count(cache, short).cacheReadTokens).toBe(0);
  expect(count(cache, long).cacheReadTokens).toBeGreaterThan(0);
});
