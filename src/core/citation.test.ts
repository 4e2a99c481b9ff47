import { expect, test } from "vitest";
import { shownCitation } from "./citation.ts";

test.each([
  [
    { type: "web_search_result_location", title: "A page", url: "https://a.b/c" },
    { title: "A page", url: "https://a.b/c" },
  ],
  [
    { type: "char_location", document_title: "notes.txt", cited_text: "x" },
    { title: "notes.txt", cited_text: "x" },
  ],
  [
    { type: "search_result_location", source: "https://a.b/c", title: null },
    { title: "https://a.b/c", url: "https://a.b/c" },
  ],
  [{ type: "search_result_location", source: "manual, page 3" }, { title: "manual, page 3" }],
  [{ type: "page_location", document_title: null }, { title: "A document" }],
  [{ type: "?", url: "javascript:alert(1)" }, { title: "A document" }],
])("%j is shown as %j", (citation, shown) => {
  expect(shownCitation(citation)).toEqual(shown);
});
