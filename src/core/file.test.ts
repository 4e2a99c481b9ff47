import { expect, test } from "vitest";
import { fileIdIn, filePath, mediaTypeOf } from "./file.ts";

const bytes = (text: string) => Uint8Array.from(text, (character) => character.codePointAt(0) ?? 0);

test.each([
  ["\x89PNG\r\n\x1a\n....", "image/png"],
  ["\xff\xd8\xff\xe0....", "image/jpeg"],
  ["GIF89a....", "image/gif"],
  ["RIFF\x01\x02\x03\x04WEBPVP8 ", "image/webp"],
  ["%PDF-1.7\n", "application/pdf"],
  ["Notes\n\tof today\r\n", "text/plain"],
])("the first bytes %j are %s", (head, type) => {
  expect(mediaTypeOf(bytes(head))).toBe(type);
});

test("a character that is cut off at the end of the head is still text", () => {
  expect(mediaTypeOf(new TextEncoder().encode("caf\u00e9").slice(0, -1))).toBe("text/plain");
});

test.each([["\0\x01\x02"], ["MZ\x90\0"], [""], ["\xff\xfe"], ["a\x1bb"]])(
  "the first bytes %j are no file for a model",
  (head) => {
    expect(mediaTypeOf(bytes(head))).toBeUndefined();
  },
);

test.each(["", "/keel", "/a/b-c.d"])("a path of a file has its id, under the BASE_PATH %j", (basePath) => {
  expect(fileIdIn(`${basePath}${filePath("file_1a")}`)).toBe("file_1a");
});

test.each([
  "https://a.example/api/files/file_1",
  "/api/files/",
  "/api/files/a/b",
  "/api/files/%zz",
  "//a/api/files/x?y",
  "file_1",
])("%j is no path of a file", (path) => {
  expect(fileIdIn(path)).toBeUndefined();
});
