import { expect, test } from "vitest";
import { AppError } from "../core/errors.ts";
import { mediaTypeOf, type StoredFile } from "../core/file.ts";
import type { Files } from "../engine/files.ts";
import { withFiles } from "./attachments.ts";
import { pngOf } from "../testing/pictures.ts";
import type { ModelMessage } from "./history/model-message.ts";

const refuse = () => Promise.reject(new AppError("INTERNAL", "not in this test"));

/** Files with these contents; a file of `claims` bytes only says that it is so large. */
function filesOf(contents: Readonly<Record<string, string>>, claims?: number): Files {
  const find = (id: string) => {
    const text = contents[id];
    if (text === undefined) return undefined;
    const media_type = mediaTypeOf(Buffer.from(text, "latin1"));
    return { file_id: id, name: id, media_type, bytes: claims ?? text.length } as StoredFile;
  };
  return {
    incoming: refuse,
    save: refuse,
    list: refuse,
    remove: refuse,
    readRange: refuse,
    find: (id) => Promise.resolve(find(id)),
    read: (id) => Promise.resolve(Buffer.from(contents[id] ?? "", "latin1")),
  };
}

function says(...fileIds: string[]): ModelMessage {
  const blocks = fileIds.map((file_id) => ({ type: "document", source: { type: "file", file_id } }));
  return { role: "user", content: [{ type: "text", text: "Read this." }, ...blocks] };
}

test("messages without files are the very same", async () => {
  const messages: ModelMessage[] = [{ role: "user", content: [{ type: "text", text: "Hello" }] }];
  expect(await withFiles(messages, filesOf({}))).toBe(messages);
});

test("a text file goes as text, any other as base64", async () => {
  const [message] = await withFiles([says("a", "b")], filesOf({ a: "milk", b: "%PDF-1" }));
  expect(message?.content.slice(1)).toEqual([
    { type: "document", source: { type: "text", media_type: "text/plain", data: "milk" } },
    { type: "document", source: { type: "base64", media_type: "application/pdf", data: btoa("%PDF-1") } },
  ]);
});

test("a file that is gone is said to be gone", async () => {
  const [message] = await withFiles([says("gone")], filesOf({}));
  expect(message?.content[1]).toEqual({ type: "text", text: "(A file that stood here was deleted.)" });
});

test("of more than a request may have the oldest are left out, by name", async () => {
  const eightMiB = 8 * 1024 * 1024;
  const messages = await withFiles([says("a"), says("b"), says("c")], filesOf({ a: "1", b: "2", c: "3" }, eightMiB));
  const types = messages.map(({ content }) => content[1]?.type);
  expect(types).toEqual(["text", "document", "document"]);
  expect(messages[0]?.content[1]).toMatchObject({ text: expect.stringContaining("The file a") as string });
});

const png = (width: number) => Buffer.from(pngOf(width, 1), "base64").toString("latin1");

function shows(fileIds: readonly string[]): ModelMessage {
  const content = fileIds.map((file_id) => ({ type: "image", source: { type: "file", file_id } }));
  return { role: "user", content: [{ type: "tool_result", tool_use_id: "a", content }] };
}

function partsOf([message]: readonly ModelMessage[]): { readonly type: string; readonly text?: string }[] {
  return message?.content[0]?.["content"] as { readonly type: string; readonly text?: string }[];
}

test("pictures of 3,000 pixels go to the model, until there are more than 20", async () => {
  const files = filesOf({ a: png(3_000), b: png(2_000) });
  const few = Array.from({ length: 10 }, () => ["a", "b"]).flat();
  expect(partsOf(await withFiles([shows(few)], files)).map(({ type }) => type)).toEqual(few.map(() => "image"));

  const parts = partsOf(await withFiles([shows([...few, "b"])], files));
  expect(parts.slice(0, 2)).toEqual([
    { type: "text", text: "(The picture a is left out: it is 3000 pixels long, and a model reads 2000 at most.)" },
    expect.objectContaining({ type: "image" }),
  ]);
});

test("of more than 100 files the oldest are left out, some at once, so that the next request begins alike", async () => {
  const files = filesOf({ a: png(1) });
  const leftOut = async (count: number) => {
    const parts = partsOf(await withFiles([shows(Array.from({ length: count }, () => "a"))], files));
    return parts.findIndex(({ type }) => type === "image");
  };
  expect(await leftOut(100)).toBe(0);
  expect(await leftOut(101)).toBe(20);
  expect(await leftOut(120)).toBe(20);
  expect(await leftOut(121)).toBe(40);
});
