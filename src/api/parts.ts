/** The parts of a message that is more than text, in the shapes of the Anthropic Messages API. */
import { z } from "zod";
import { DOCUMENT_TYPES, IMAGE_TYPES } from "../core/file.ts";
import { MAX_MESSAGE_PARTS } from "../core/limits.ts";
import { expecting } from "./fields.ts";

/** Base64 comes with the request and is stored as a file: a thread never holds bytes. */
const base64 = <const T extends string>(types: readonly [T, ...T[]]) =>
  z.strictObject({
    type: z.literal("base64"),
    media_type: z.enum(types),
    data: expecting(z.base64().min(1), "base64 (RFC 4648) that is not empty"),
  });
const URL_SOURCE = z.strictObject({
  type: z.literal("url"),
  url: expecting(z.url({ protocol: /^https?$/ }).max(2_048), "an http or https URL of at most 2048 characters"),
});
const FILE_SOURCE = z.strictObject({ type: z.literal("file"), file_id: z.string() });

const TEXT_PART = z.strictObject({
  type: z.literal("text"),
  text: expecting(z.string().regex(/\S/), "a string that is not empty"),
});
const IMAGE_PART = z.strictObject({
  type: z.literal("image"),
  source: z.discriminatedUnion("type", [base64(IMAGE_TYPES), URL_SOURCE, FILE_SOURCE]),
});
const DOCUMENT_PART = z.strictObject({
  type: z.literal("document"),
  source: z.discriminatedUnion("type", [base64(DOCUMENT_TYPES), URL_SOURCE, FILE_SOURCE]),
});

export const PART = z.discriminatedUnion("type", [TEXT_PART, IMAGE_PART, DOCUMENT_PART]).meta({ id: "MessagePart" });

export const PARTS = z.array(PART).min(1).max(MAX_MESSAGE_PARTS);

export type Part = Readonly<z.output<typeof PART>>;

/** Sources as they are stored: without bytes. */
const STORED_SOURCE = z.discriminatedUnion("type", [URL_SOURCE, FILE_SOURCE]);
export const IMAGE = z.object({ type: z.literal("image"), source: STORED_SOURCE });
export const DOCUMENT = z.object({ type: z.literal("document"), source: STORED_SOURCE });
