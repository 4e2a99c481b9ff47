import { expect, test } from "vitest";
import { pngOf } from "../testing/pictures.ts";
import { MAX_PICTURE_BYTES } from "./limits.ts";
import type { MediaType } from "./file.ts";
import { whyUnreadable } from "./picture.ts";

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");
const riff = (rest: string) => Buffer.concat([Buffer.from("RIFF....WEBP"), hex(rest)]);

/** Headers of pictures of 9,000 × 5 pixels. */
const LONG: readonly (readonly [MediaType, Buffer])[] = [
  ["image/png", Buffer.from(pngOf(9_000, 5), "base64")],
  ["image/gif", Buffer.concat([Buffer.from("GIF89a"), hex("2823 0500")])],
  ["image/webp", riff("56503858 0a000000 00000000 272300 040000")],
  // 14 bits for the width minus 1, then 14 bits for the height minus 1.
  ["image/webp", riff("5650384c 00000000 2f 27230100")],
  ["image/webp", riff("56503820 00000000 000000 9d012a 2823 0500")],
  ["image/jpeg", hex("ffd8 ffe0 0004 0000 ffff c4 0003 00 ffc2 0011 08 0005 2328 03")],
];

test.each(LONG)("a %s of 9,000 pixels is too long for a model (%#)", (type, bytes) => {
  expect(whyUnreadable(type, bytes)).toBe("it is 9000 pixels long, and a model reads 8000 at most");
  expect(whyUnreadable(type, bytes, 9_000)).toBeUndefined();
});

test.each(LONG)("a %s that ends in its header is no whole picture (%#)", (type, bytes) => {
  for (let length = 0; length < 12; length += 1)
    expect(whyUnreadable(type, bytes.subarray(0, Math.min(length, 9)))).toBe("it is no whole picture");
});

test("a picture of more bytes than a model takes is too large", () => {
  const bytes = Buffer.concat([Buffer.from(pngOf(1, 1), "base64"), Buffer.alloc(MAX_PICTURE_BYTES)]);
  expect(whyUnreadable("image/png", bytes)).toContain("3932160 bytes at most");
});

test("markers of a JPEG that lead nowhere are passed in linear time", () => {
  const bytes = Buffer.alloc(1_000_000, 0xff);
  bytes[1] = 0xd8;
  expect(whyUnreadable("image/jpeg", bytes)).toBe("it is no whole picture");
});
