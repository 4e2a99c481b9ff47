/**
 * Pictures and documents: which sources and types the API takes.
 * Called by blocks.ts; throws the API's own sentences. Of a picture it looks at the header, and of a PNG at its size.
 */
import { invalid } from "./errors.ts";
import { isRecord, type JsonObject } from "./json.ts";

const IMAGE_TYPES = ["image/jpeg", "image/png", "image/gif", "image/webp"];

interface MediaRule {
  readonly sources: readonly string[];
  /** Media types that a base64 source may have. */
  readonly mediaTypes: readonly string[];
}

const RULES: Readonly<Record<string, MediaRule>> = {
  image: { sources: ["base64", "url", "file"], mediaTypes: IMAGE_TYPES },
  document: { sources: ["base64", "url", "file", "text", "content"], mediaTypes: ["application/pdf"] },
};

/** @throws Refusal when the block at `at` has no source that the API can read */
export function parseMedia(block: JsonObject, at: string): void {
  const type = String(block["type"]);
  const rule = RULES[type];
  const source = block["source"];
  const sourceAt = `${at}.${type}.source`;
  if (!rule || !isRecord(source)) throw invalid(`${sourceAt}: Field required`);
  const kind = source["type"];
  if (typeof kind !== "string" || !rule.sources.includes(kind)) {
    throw invalid(
      `${sourceAt}: Input tag '${String(kind)}' found using 'type' does not match any of the expected tags: ${quoted(rule.sources, ", ")}`,
    );
  }
  checkSource({ source, kind, at: `${sourceAt}.${kind}` }, rule);
}

interface Source {
  readonly source: JsonObject;
  readonly kind: string;
  readonly at: string;
}

function checkSource({ source, kind, at }: Source, { mediaTypes }: MediaRule): void {
  const { media_type: mediaType, data } = source;
  switch (kind) {
    case "base64":
      if (!mediaTypes.includes(String(mediaType)))
        throw invalid(`${at}.media_type: Input should be ${quoted(mediaTypes, " or ")}`);
      requireText(data, `${at}.data`, BASE64);
      if (mediaTypes === IMAGE_TYPES) checkPicture(String(data), String(mediaType), at);
      return;
    case "text":
      if (mediaType !== "text/plain") throw invalid(`${at}.media_type: Input should be 'text/plain'`);
      return requireText(data, `${at}.data`);
    case "url":
      return requireText(source["url"], `${at}.url`, HTTP_URL);
    case "file":
      return requireText(source["file_id"], `${at}.file_id`);
    default:
      if (source["content"] === undefined) throw invalid(`${at}.content: Field required`);
  }
}

interface TextRule {
  readonly pattern: RegExp;
  readonly sentence: string;
}

const BASE64: TextRule = { pattern: /^[A-Za-z0-9+/]+={0,2}$/, sentence: "Invalid base64 data" };
const HTTP_URL: TextRule = { pattern: /^https?:\/\/[^\s/]/, sentence: "Only HTTPS URLs are supported." };

function requireText(text: unknown, at: string, rule?: TextRule): void {
  if (typeof text !== "string" || text === "") throw invalid(`${at}: Field required`);
  if (rule && !rule.pattern.test(text)) throw invalid(`${at}: ${rule.sentence}`);
}

/** Base64 text. */
const MAX_PICTURE_CHARACTERS = 5 * 1024 * 1024;
const MAX_PIXELS = 8_000;
/** How the base64 of each type begins. */
const BEGINNINGS: Readonly<Record<string, string>> = {
  "image/png": "iVBORw0KGgo",
  "image/jpeg": "/9j/",
  "image/gif": "R0lGOD",
  "image/webp": "UklGR",
};

function checkPicture(data: string, mediaType: string, at: string): void {
  if (data.length > MAX_PICTURE_CHARACTERS) {
    throw invalid(`${at}: image exceeds 5 MB maximum: ${data.length} bytes > ${MAX_PICTURE_CHARACTERS} bytes`);
  }
  const isOf = (type: string): boolean => data.startsWith(BEGINNINGS[type] ?? "");
  const actual = IMAGE_TYPES.find(isOf);
  if (!actual) throw invalid("Could not process image");
  if (actual !== mediaType) {
    const said = `The image was specified using the ${mediaType} media type, but the image appears to be a ${actual} image`;
    throw invalid(`${at}.data: ${said}`);
  }
  if (actual !== "image/png") return;
  // The header of a PNG: 8 bytes, 8 of the first chunk, then width and height in 4 bytes each.
  const head = Buffer.from(data.slice(0, 32), "base64");
  if (head.length < 24) throw invalid("Could not process image");
  if (Math.max(head.readUInt32BE(16), head.readUInt32BE(20)) > MAX_PIXELS) {
    throw invalid(`${at}.data: At least one of the image dimensions exceed max allowed size: ${MAX_PIXELS} pixels`);
  }
}

const quoted = (names: readonly string[], between: string): string => names.map((name) => `'${name}'`).join(between);
