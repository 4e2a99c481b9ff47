import type { RawMessageStreamEvent } from "@anthropic-ai/sdk/resources/messages";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { AnswerSecrets } from "./answer-secrets.ts";

const KEY = "sk-ant-sk-canary-0123456789";
const NONE = { citations: null };

function pieces(text: string, ...rest: string[]): RawMessageStreamEvent[] {
  const deltas = [text, ...rest].map((piece): RawMessageStreamEvent => ({
    type: "content_block_delta",
    index: 0,
    delta: { type: "text_delta", text: piece },
  }));
  return [
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "", ...NONE } },
    ...deltas,
    { type: "content_block_stop", index: 0 },
  ];
}

const thinks = (thinking: string) =>
  ({ type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking } }) as RawMessageStreamEvent;

function said(events: readonly RawMessageStreamEvent[]): string {
  const secrets = new AnswerSecrets([KEY]);
  const passed = events.flatMap((event) => secrets.pass(event));
  expect(passed.at(-1)?.type).toBe(events.at(-1)?.type);
  return passed
    .map((event) => (event.type === "content_block_delta" && event.delta.type === "text_delta" ? event.delta.text : ""))
    .join("");
}

test("however a text with the key is cut, the key is out of it and the rest is in it", () => {
  const around = fc.oneof(fc.constantFrom("", "s", "sk-", "sk-ant-", "sk-ant-sk-ant-"), fc.string({ maxLength: 5 }));
  const text = fc
    .array(fc.tuple(around, fc.boolean()))
    .map((all) => all.map(([a, has]) => a + (has ? KEY : "")).join(""));
  fc.assert(
    fc.property(text, fc.array(fc.nat(60), { maxLength: 8 }), (whole, cuts) => {
      const places = [0, ...cuts.toSorted((a, b) => a - b), whole.length];
      const parts = places.slice(1).map((place, index) => whole.slice(places[index], place));
      expect(said(pieces("", ...parts))).toBe(whole.replaceAll(KEY, "[secret]"));
    }),
  );
});

test("thinking that was changed has no signature any more, and other thinking keeps its own", () => {
  const signature = {
    type: "content_block_delta",
    index: 0,
    delta: { type: "signature_delta", signature: "s" },
  } as const;
  const secrets = new AnswerSecrets([KEY]);
  expect(secrets.pass(thinks(`it is ${KEY}`))).toEqual([thinks("it is [secret]")]);
  expect(secrets.pass(signature)).toEqual([]);
  expect(new AnswerSecrets([KEY]).pass(signature)).toEqual([signature]);
});

test("a key in a block that comes whole is taken out too", () => {
  const begin = { type: "content_block_start", index: 0, content_block: { type: "text", text: KEY, ...NONE } } as const;
  expect(JSON.stringify(new AnswerSecrets([KEY]).pass(begin))).not.toContain(KEY);
});
