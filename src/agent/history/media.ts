/** Pictures and documents as the API takes them. Pure. */
import { IMAGE_TYPES } from "../../core/file.ts";
import { textBlock, type ModelBlock } from "./model-message.ts";
import { wellFormed } from "./well-formed.ts";

/**
 * A picture, a document, or a block of any other type as it came. Media without a source would be refused each time.
 */
export function mediaOr(block: ModelBlock): ModelBlock {
  const isMedia = block.type === "image" || block.type === "document";
  return isMedia && !hasSource(block) ? textBlock(`[${block.type} without data]`) : wellFormed(block);
}

/** Whether the source has a known form: our own, or one that older versions and other programs store. */
function hasSource({ type, source }: ModelBlock): boolean {
  if (typeof source !== "object" || source === null) return false;
  const { type: kind, media_type: mediaType, data, url, file_id: fileId } = source as Readonly<Record<string, unknown>>;
  switch (kind) {
    case "file":
      return isFilled(fileId);
    case "url":
      return isFilled(url) && /^https?:\/\/[^\s/]/.test(url);
    case "base64":
      return isFilled(data) && /^[A-Za-z0-9+/]+={0,2}$/.test(data) && typesOf(type).includes(String(mediaType));
    case "text":
      return type === "document" && isFilled(data) && mediaType === "text/plain";
    default:
      return false;
  }
}

function typesOf(type: string): readonly string[] {
  return type === "image" ? IMAGE_TYPES : ["application/pdf"];
}

function isFilled(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
