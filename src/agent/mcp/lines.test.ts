import * as fc from "fast-check";
import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { readLines, type Line } from "./lines.ts";

const FREE = { bytesASecond: 1e9, linesASecond: 1e9 };

async function read(chunks: readonly Buffer[], maxLineBytes: number): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const line of readLines(Readable.from(chunks), { ...FREE, maxLineBytes })) lines.push(line);
  return lines;
}

/** `bytes` in pieces that end at these places. */
function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  return ends.map((end, at) => bytes.subarray(ends[at - 1] ?? 0, end));
}

test("lines are the same however the stream is cut into chunks", async () => {
  const line = fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\n", " "));
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.array(fc.nat()), async (lines, places) => {
      const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(""));

      const got = await read(cutAt(bytes, places), 1e6);

      expect(got.map(({ text }) => text)).toEqual(lines.map((text) => Buffer.from(text).toString()));
    }),
    { numRuns: 50 },
  );
});

test("a line that is too long keeps its beginning and its end, however it is cut into chunks", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat()), async (places) => {
      const long = `<${"a".repeat(30_000)}>`;
      const bytes = Buffer.from(`before\n${long}\nafter\n`);

      const [before, cut, after] = await read(cutAt(bytes, places), 10_000);

      expect(before).toMatchObject({ text: "before" });
      expect(cut).toMatchObject({ bytes: long.length, text: long.slice(0, 4_096), cutTail: long.slice(-4_096) });
      expect(after).toMatchObject({ text: "after" });
    }),
    { numRuns: 30 },
  );
});

test("a writer that floods is read at the rate that was set", async () => {
  const chunks = Array.from({ length: 40 }, () => Buffer.alloc(1_000, "x\n"));
  const begunAt = performance.now();
  let lines = 0;
  const limits = { maxLineBytes: 100, bytesASecond: 1e9, linesASecond: 8_000 };

  for await (const _line of readLines(Readable.from(chunks), limits)) lines += 1;

  expect(lines).toBe(20_000);
  expect(performance.now() - begunAt).toBeGreaterThan(1_900);
});
