/**
 * Stores the bytes of a tool's result as files of the run's principal, so that the thread, the ledger and the journal
 * only name them. Called by `execute.ts` between the end of a call and its entry in the ledger.
 */
import { hasCode } from "../../core/errors.ts";
import { HEAD_BYTES, isImage, mediaTypeOf } from "../../core/file.ts";
import type { ToolResultContent, ToolResultPart } from "../../core/message.ts";
import { whyUnreadable } from "../../core/picture.ts";
import type { Files } from "../../engine/files.ts";
import { saveBytes } from "../../engine/save-bytes.ts";
import { outlastTrouble } from "../retry-storage.ts";
import { leftOut, type GivenContent, type GivenPart } from "./parts.ts";

export interface Keeping {
  readonly files: Files;
  readonly principal: string;
  /** The tool's name, for people. */
  readonly name: string;
  readonly signal: AbortSignal;
}

/** A part that cannot be kept becomes a text that says why. Rejects once `signal` is aborted. */
export async function keepParts(content: GivenContent, keeping: Keeping): Promise<ToolResultContent> {
  if (typeof content === "string") return content;
  const kept: ToolResultPart[] = [];
  for (const part of content) kept.push(await keepPart(part, keeping));
  return kept;
}

async function keepPart(part: GivenPart, { files, principal, name, signal }: Keeping): Promise<ToolResultPart> {
  if (part.type === "text") return part;
  const bytes = Buffer.from(part.data, "base64");
  const mediaType = mediaTypeOf(bytes.subarray(0, HEAD_BYTES));
  if (!mediaType) return leftOut(bytes.length, "its first bytes are those of no PNG, JPEG, GIF, WebP, PDF or text");
  const problem = isImage(mediaType) ? whyUnreadable(mediaType, bytes) : undefined;
  if (problem !== undefined) return leftOut(bytes.length, problem);
  try {
    const about = { principal, name, mediaType };
    const { file_id } = await outlastTrouble(() => saveBytes(files, bytes, about), signal);
    return { type: isImage(mediaType) ? "image" : "document", source: { type: "file", file_id } };
  } catch (error) {
    if (hasCode(error, "FILES_FULL")) return leftOut(bytes.length, "there is no room for more files");
    throw error;
  }
}
