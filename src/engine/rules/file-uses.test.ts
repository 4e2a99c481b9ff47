import { expect, test } from "vitest";
import type { ContentBlock, Message } from "../../core/message.ts";
import { filesNamedIn, filesSentWith } from "./file-uses.ts";

const picture = (fileId: string) => ({ type: "image", source: { type: "file", file_id: fileId } }) as const;
const document = (fileId: string) => ({ type: "document", source: { type: "file", file_id: fileId } }) as const;
const elsewhere = { type: "image", source: { type: "url", url: "https://example.com/a.png" } } as const;
const text = (said: string) => ({ type: "text", text: said }) as const;
const resultOf = (content: Extract<ContentBlock, { type: "tool_result" }>["content"]) =>
  ({ type: "tool_result", tool_use_id: "toolu_1", content }) as const;

const CASES: readonly (readonly [string, Message["content"], readonly string[]])[] = [
  ["a text", "hello", []],
  ["a text that looks like a file", '"file_id":"file_1"', []],
  ["parts without files", [text('{"file_id":"file_1"}'), elsewhere], []],
  ["a picture", [text("look"), picture("file_1")], ["file_1"]],
  ["files in their order, each once", [picture("file_2"), document("file_1"), picture("file_2")], ["file_2", "file_1"]],
  ["a tool's result", [resultOf([text("here"), picture("file_1"), document("file_2")])], ["file_1", "file_2"]],
  ["a tool's result of text", [resultOf('{"file_id":"file_1"}')], []],
];

test.each(CASES)("a run that is enqueued with %s needs these files", (_what, content, expected) => {
  expect(filesSentWith({ content })).toEqual(expected);
  expect(filesSentWith({ before: [{ role: "user", content }] })).toEqual(expected);
});

test.each(CASES)("a run that stored %s uses these files", (_what, content, expected) => {
  expect(filesNamedIn(JSON.stringify(content))).toEqual(expected);
  expect(filesNamedIn(JSON.stringify({ content, isError: false }))).toEqual(expected);
});

test("a run whose model gave a tool the id of a file uses the file, but does not need it", () => {
  const content: Message["content"] = [{ type: "tool_use", id: "toolu_1", name: "crop", input: { file_id: "file_1" } }];

  expect(filesNamedIn(JSON.stringify(content))).toEqual(["file_1"]);
  expect(filesSentWith({ before: [{ role: "assistant", content }] })).toEqual([]);
});

test("a run without parts and without earlier messages needs no file", () => {
  expect(filesSentWith({})).toEqual([]);
});
