/**
 * The pictures that the Messages API refuses (https://platform.claude.com/docs/en/build-with-claude/vision, "General
 * limits"). The API refuses the whole request, so one such picture would make its thread unusable. Pure; reads headers
 * only.
 */
import type { MediaType } from "./file.ts";
import { MAX_PICTURE_BYTES } from "./limits.ts";

/** The longest side that is allowed: alone, and where a request has more than MANY_PICTURES. */
export const MAX_PIXELS = 8_000;
export const MAX_PIXELS_OF_MANY = 2_000;
export const MANY_PICTURES = 20;

/** Why no model reads the picture, as the end of a sentence; undefined when models can read it. */
export function whyUnreadable(type: MediaType, bytes: Buffer, maxPixels = MAX_PIXELS): string | undefined {
  if (bytes.length > MAX_PICTURE_BYTES) return `a model reads pictures of ${MAX_PICTURE_BYTES} bytes at most`;
  const pixels = longerSide(type, bytes);
  if (!pixels) return "it is no whole picture";
  return pixels > maxPixels ? `it is ${pixels} pixels long, and a model reads ${maxPixels} at most` : undefined;
}

/** In pixels; undefined or 0 when the bytes are no picture of that type. */
function longerSide(type: MediaType, bytes: Buffer): number | undefined {
  try {
    return Math.max(...sidesOf(type, bytes));
  } catch {
    // The bytes end within the header.
    return undefined;
  }
}

type Sides = readonly [width: number, height: number];

function sidesOf(type: MediaType, bytes: Buffer): Sides {
  switch (type) {
    case "image/png":
      return [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
    case "image/gif":
      return [bytes.readUInt16LE(6), bytes.readUInt16LE(8)];
    case "image/webp":
      return sidesOfWebp(bytes);
    case "image/jpeg":
      return sidesOfJpeg(bytes);
    default:
      return [0, 0];
  }
}

/** The first chunk is one of three kinds: https://developers.google.com/speed/webp/docs/riff_container */
function sidesOfWebp(bytes: Buffer): Sides {
  switch (bytes.toString("latin1", 12, 16)) {
    case "VP8X":
      return [bytes.readUIntLE(24, 3) + 1, bytes.readUIntLE(27, 3) + 1];
    case "VP8L": {
      const bits = bytes.readUInt32LE(21);
      return [(bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1];
    }
    case "VP8 ":
      return [bytes.readUInt16LE(26) & 0x3fff, bytes.readUInt16LE(28) & 0x3fff];
    default:
      return [0, 0];
  }
}

/** Markers C0 to CF begin a frame (ITU T.81, table B.1), except these, which are tables. */
const NO_FRAME: ReadonlySet<number> = new Set([0xc4, 0xc8, 0xcc]);

function sidesOfJpeg(bytes: Buffer): Sides {
  let at = 2;
  for (;;) {
    // A marker is FF and a number; more FF bytes may come before the number.
    if (bytes.readUInt8(at) !== 0xff) return [0, 0];
    const marker = bytes.readUInt8(at + 1);
    if (marker === 0xff) at += 1;
    else if (marker >= 0xc0 && marker <= 0xcf && !NO_FRAME.has(marker))
      return [bytes.readUInt16BE(at + 7), bytes.readUInt16BE(at + 5)];
    else at += 2 + bytes.readUInt16BE(at + 2);
  }
}
