import { expect, test } from "vitest";
import { AppError } from "../core/errors.ts";
import type { StoredFile } from "../core/file.ts";
import type { Files } from "../engine/files.ts";
import { withFiles } from "./attachments.ts";
import type { ModelMessage } from "./history/model-message.ts";

const refuse = () => Promise.reject(new AppError("INTERNAL", "not in this test"));

/** Files of these contents; one of `claims` bytes says that it is so large. */
function filesOf(contents: Readonly<Record<string, string>>, claims?: number): Files {
  const find = (id: string) => {
    const text = contents[id];
    if (text === undefined) return undefined;
    const media_type = text.startsWith("%PDF") ? "application/pdf" : "text/plain";
    return { file_id: id, name: id, media_type, bytes: claims ?? text.length } as StoredFile;
  };
  return {
    incoming: refuse,
    save: refuse,
    remove: refuse,
    find: (id) => Promise.resolve(find(id)),
    read: (id) => Promise.resolve(Buffer.from(contents[id] ?? "")),
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
