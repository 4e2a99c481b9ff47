import { expect, test } from "vitest";
import { z } from "zod";
import { UI_CHAT } from "./ai-sdk.ts";
import { check } from "./check.ts";
import { CHAT } from "./chat.ts";
import { orNull, text, wholeNumber } from "./fields.ts";

const NESTED = z.strictObject({
  size: wholeNumber(1, 5).default(1),
  kind: orNull(z.enum(["a", "b"])),
  parts: z
    .array(
      z.discriminatedUnion("type", [
        z.strictObject({ type: z.literal("text"), text: text(10) }),
        z.strictObject({ type: z.literal("image"), file: z.strictObject({ id: z.string() }) }),
      ]),
    )
    .optional(),
});

function messageOf(check: () => unknown): string {
  try {
    return String(check());
  } catch (error) {
    return (error as Error).message;
  }
}

test.each<[string, unknown, string]>([
  ["a bound", { size: 9 }, "Expected `size` to be a whole number from 1 to 5, got 9."],
  ["a type", { size: "1" }, 'Expected `size` to be a whole number from 1 to 5, got "1".'],
  ["a choice", { kind: "c" }, 'Expected `kind` to be one of "a", "b", got "c".'],
  ["a list", { parts: {} }, "Expected `parts` to be a list, got {}."],
  ["an element", { parts: [5] }, "Expected `parts[0]` to be a JSON object, got 5."],
  [
    "the kind of an element",
    { parts: [{ type: "x" }] },
    'Expected `parts[0].type` to be one of "text", "image", got "x".',
  ],
  [
    "a field of an element",
    { parts: [{ type: "text", text: "" }] },
    'Expected `parts[0].text` to be a string of 1 to 10 characters, got "".',
  ],
  [
    "a field further down",
    { parts: [{ type: "image", file: { id: 7 } }] },
    "Expected `parts[0].file.id` to be a string, got 7.",
  ],
  ["an unknown field", { sise: 1 }, 'There is no field "sise"; known are `size`, `kind`, `parts`.'],
  [
    "an unknown field further down",
    { parts: [{ type: "text", text: "a", lang: "de" }] },
    'There is no field "parts[0].lang"; known are `type`, `text`.',
  ],
  [
    "an unknown field of an object in a list",
    { parts: [{ type: "image", file: { id: "a", size: 1 } }] },
    'There is no field "parts[0].file.size"; known are `id`.',
  ],
])("%s is refused with its name, what it has to be and what came", (_name, value, sentence) => {
  expect(() => check(NESTED, value)).toThrow(expect.objectContaining({ code: "INVALID_REQUEST", message: sentence }));
});

test("an unknown field is named before a missing one: it often is the missing one, misspelt", () => {
  expect(() => check(CHAT, { agent_id: "assistant", mesage: "Hello" })).toThrow(
    'There is no field "mesage"; known are',
  );
});

test("each mistake is named, unknown fields first, a value that breaks two rules once", () => {
  const sent = { agent_id: 5, mesage: "Hello", timeout: 1, timeout_ms: 0, thread_id: "!".repeat(200) };
  expect(() => check(CHAT, sent)).toThrow(
    expect.objectContaining({
      code: "INVALID_REQUEST",
      message: expect.stringMatching(
        new RegExp(
          '^There are no fields "mesage", "timeout"; known are .*\\. ' +
            "Expected `agent_id` to be .*, got 5\\. " +
            "Expected `message` to be .*, got nothing\\. " +
            'Expected `thread_id` to be [^.]*\\. _ : -[^.]*, got "!{99}\\. ' +
            "Expected `timeout_ms` to be a whole number from 1 to \\d+, got 0\\.$",
        ),
      ),
    }),
  );
});

test("each mistake inside a list of parts is named", () => {
  const message = [{ type: "audio" }, { type: "text" }, { type: "text", text: "a", bold: true }];
  expect(() => check(CHAT, { agent_id: "assistant", message })).toThrow(
    expect.objectContaining({
      message: expect.stringMatching(/message\[0\]\.type.*message\[1\]\.text.*"message\[2\]\.bold"/),
    }),
  );
});

test("a body full of mistakes gets ten sentences and a word that there are more", () => {
  const parts = Array.from({ length: 10_000 }, () => 5);
  const message = messageOf(() => check(NESTED, { parts, ...Object.fromEntries(parts.map((_, n) => [`x${n}`, 1])) }));
  expect(message).toMatch(/^There are no fields "x0", .* and 9990 more; .* There are more mistakes\.$/);
  expect(message.match(/Expected `parts\[\d\]` to be a JSON object, got 5\./g)).toHaveLength(9);
  expect(message.length).toBeLessThan(1_500);
});

test("a long value is shown by its beginning only", () => {
  expect(messageOf(() => check(NESTED, { kind: "x".repeat(1_000_000) })).length).toBeLessThan(300);
});

test("defaults are filled in, and null stands for nothing where it may", () => {
  expect(check(NESTED, { kind: null })).toEqual({ size: 1, kind: null });
});

test.each<[string, unknown, string]>([
  ["neither text nor a list", 5, "Expected `message` to be a string that is not empty, or a list of parts, got 5."],
  ["blank text", "  ", 'Expected `message` to be a string that is not empty, or a list of parts, got "  ".'],
  [
    "an unknown part",
    [{ type: "audio" }],
    'Expected `message[0].type` to be one of "text", "image", "document", got "audio".',
  ],
  [
    "a field of a part",
    [
      { type: "text", text: "a" },
      { type: "image", source: { type: "url", url: "ftp://a" } },
    ],
    'Expected `message[1].source.url` to be an http or https URL of at most 2048 characters, got "ftp://a".',
  ],
  [
    "an unknown field of a part",
    [{ type: "text", text: "a", bold: true }],
    'There is no field "message[0].bold"; known are `type`, `text`.',
  ],
])("a message that is %s is refused with what it has to be", (_name, message, sentence) => {
  expect(() => check(CHAT, { agent_id: "assistant", message })).toThrow(sentence);
});

test.each([
  ["a message", { messages: [{ role: "user", parts: Array(500_000).fill(1) }] }, "messages[0].parts[0]"],
  ["messages", { messages: Array(500_000).fill(1) }, "messages[0]"],
  ["messages without roles", { messages: Array.from({ length: 300_000 }, () => ({})) }, "messages[0].role"],
])("%s of many mistakes costs little, and the first one is named", (_, body, name) => {
  // The first refusal makes zod compile what it needs.
  messageOf(() => check(UI_CHAT, { id: "a" }));
  const begin = process.threadCpuUsage();
  const message = messageOf(() => check(UI_CHAT, { id: "a", ...body }));
  const { user, system } = process.threadCpuUsage(begin);
  // A bound far above what it takes (10 ms of CPU), and far below what all mistakes take (500 to 1,500 ms).
  expect((user + system) / 1_000).toBeLessThan(200);
  expect(message).toContain(`\`${name}\``);
  expect(message).toContain("There may be more mistakes.");
});

test("the only mistake of a large body is found", () => {
  const messages = Array.from({ length: 10_000 }, (_, index) => ({
    role: index === 9_321 ? "nobody" : "user",
    parts: [{ type: "text", text: "a" }],
  }));
  expect(messageOf(() => check(UI_CHAT, { id: "a", messages }))).toBe(
    'Expected `messages[9321].role` to be one of "system", "user", "assistant", got "nobody". There may be more mistakes.',
  );
});
