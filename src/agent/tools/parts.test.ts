import { expect, test } from "vitest";
import { PIXEL } from "../../testing/pictures.ts";
import { boundedParts, contentOf, MAX_MEDIA_PARTS } from "./parts.ts";
import { MAX_RESULT_CHARACTERS } from "./text.ts";

const media = { type: "media", data: PIXEL };

test.each([
  ["bytes", { type: "image", data: Buffer.from(PIXEL, "base64") }],
  ["a buffer", { type: "image", data: new Uint8Array(Buffer.from(PIXEL, "base64")).buffer }],
  ["base64", { type: "document", data: PIXEL }],
  ["base64 as MCP has it", { type: "image", mimeType: "image/png", data: PIXEL }],
  [
    "base64 as the Messages API has it",
    { type: "image", source: { type: "base64", media_type: "image/png", data: PIXEL } },
  ],
])("a part of %s is a part", (_what, part) => {
  expect(contentOf({ content: [{ type: "text", text: "see" }, part] })).toEqual([{ type: "text", text: "see" }, media]);
});

test.each([
  [{ content: "text" }],
  [{ content: [] }],
  [{ content: [{ id: 1 }] }],
  [{ content: [{ type: "text", text: "a" }, { type: "row" }] }],
  [{ content: [{ type: "image" }] }],
])("%j is data of the tool's own, and is shown as JSON", (value) => {
  expect(contentOf(value)).toBe(JSON.stringify(value));
});

test("texts alone are one text", () => {
  expect(
    contentOf({
      content: [
        { type: "text", text: "a" },
        { type: "text", text: "\ud800" },
      ],
    }),
  ).toBe("a\n\ufffd");
});

test("texts together are bounded: the one that exceeds the bound is marked, and further ones are counted", () => {
  const long = { type: "text", text: "x".repeat(200_000) } as const;
  const rest = MAX_RESULT_CHARACTERS - 200_000;

  const content = contentOf({ content: [long, long, long, { type: "text", text: "TOTAL: 7" }] });

  expect(content).toBe(
    `${long.text}\n${"x".repeat(rest)}\n[cut: ${200_000 - rest} more characters]\n[cut: 2 more parts]`,
  );
  expect(contentOf({ content: [{ type: "text", text: "x".repeat(MAX_RESULT_CHARACTERS) }] })).not.toContain("[cut");
});

test("files behind texts that fill a result are kept", () => {
  const long = { type: "text", text: "x".repeat(MAX_RESULT_CHARACTERS) } as const;

  const [, ...others] = boundedParts([long, long, { type: "media", data: PIXEL }]) as readonly object[];

  expect(others).toEqual([media, { type: "text", text: "[cut: 1 more part]" }]);
});

test("parts beyond the largest number are counted", () => {
  const content = Array.from({ length: 1_234 }, () => ({ type: "text" as const, text: "a" }));

  expect(contentOf({ content })).toMatch(/a\n\[cut: 234 more parts\]$/);
  expect(boundedParts(content)).toBe(contentOf({ content }));
});

test("files and their bytes are bounded, and what is left out is said", () => {
  const many = boundedParts(Array.from({ length: MAX_MEDIA_PARTS + 1 }, () => ({ type: "media", data: PIXEL })));
  expect(many.at(-1)).toEqual({ type: "text", text: expect.stringContaining("at most 20 files") });

  const large = { type: "media", data: "A".repeat(8_000_000) } as const;
  expect(boundedParts([large, large])).toEqual([
    large,
    { type: "text", text: expect.stringContaining("8388608 bytes of files") },
  ]);
});

test("a picture of 500 MB costs no more than one of the largest size", () => {
  const before = process.memoryUsage().rss;
  const begun = performance.now();
  const content = contentOf({ content: [{ type: "image", data: new Uint8Array(500 * 2 ** 20) }] });
  expect(content).toContain("8388608 bytes of files");
  expect(performance.now() - begun).toBeLessThan(500);
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20);
});

test("bytes that are text are bounded as text is", () => {
  const text = "line of a table\n".repeat(100_000);
  const parts = contentOf({ content: [{ type: "document", data: Buffer.from(text) }] });
  expect(parts).toMatch(/^line of a table\n[^]*\[cut: more\]$/);
  expect(parts.length).toBeLessThan(300_000);
});
