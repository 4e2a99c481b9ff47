import { expect, test } from "vitest";
import { resultInJournal } from "../../core/event.ts";
import { shownResult } from "./tool-result.ts";

test("a result of text is shown as it is", () => {
  expect(shownResult("42")).toEqual({ text: "42", files: [] });
});

test.each([
  ["/api/files/file_1", { type: "file", file_id: "file_1" }],
  ["/behind/a.proxy/api/files/file_1", { type: "file", file_id: "file_1" }],
  ["//elsewhere/api/files/file_1", { type: "url", url: "//elsewhere/api/files/file_1" }],
  ["https://elsewhere/api/files/file_1", { type: "url", url: "https://elsewhere/api/files/file_1" }],
])("a picture at %s is a file of this server, or not", (value, source) => {
  const { files } = shownResult([{ type: "image", source: { type: "url", value } }]);
  expect(files).toEqual([{ type: "image", source }]);
});

test("pictures and documents of this server are files", () => {
  const content = resultInJournal([
    { type: "text", text: "a dot" },
    { type: "image", source: { type: "file", file_id: "file_1" } },
    { type: "document", source: { type: "file", file_id: "file_2" } },
  ]);
  expect(shownResult(content)).toEqual({
    text: "a dot",
    files: [
      { type: "image", source: { type: "file", file_id: "file_1" } },
      { type: "document", source: { type: "file", file_id: "file_2" } },
    ],
  });
});

test("what lies elsewhere is a link, and what no page can show is named", () => {
  const content = [
    { type: "image", source: { type: "url", value: "https://example.org/api/files/a.png" } },
    { type: "audio", source: { type: "url", value: "/api/files/a" } },
  ] as const;
  expect(shownResult(content)).toEqual({
    text: "[audio]",
    files: [{ type: "image", source: { type: "url", url: "https://example.org/api/files/a.png" } }],
  });
});
