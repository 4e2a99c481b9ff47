/** Pictures and documents of other protocols, which name them by URL: a web address, or a data URL with the bytes. */
import { invalid } from "../api/check.ts";
import { PART, type Part } from "../api/parts.ts";
import { fileIdIn } from "../core/file.ts";

/**
 * @param at the name of the field, for refusals
 * @param mediaType the type that the client states; a data URL states it, too
 * @throws AppError INVALID_REQUEST
 */
export function partOfUrl(at: string, url: unknown, mediaType: unknown = "image/*"): Part {
  const text = typeof url === "string" ? url : "";
  const [, ofData, data] = /^data:([^;,]+);base64,(.+)$/s.exec(text) ?? [];
  const kind = ofData ?? (typeof mediaType === "string" ? mediaType : "");
  if (/^(audio|video)\//.test(kind))
    throw invalid(at, "a picture, PDF or text: models read no audio and no video", kind);
  const type = kind.startsWith("image/") ? "image" : "document";
  // A file that is stored here, as `GET /api/chat/{id}/messages` names it.
  const ownFile = fileIdIn(text);
  if (ownFile !== undefined) return { type, source: { type: "file", file_id: ownFile } };
  const source = data === undefined ? { type: "url", url } : { type: "base64", media_type: storedType(kind), data };
  const part = PART.safeParse({ type, source });
  if (part.success) return part.data;
  throw invalid(
    at,
    "an http or https URL, or a data URL with a picture, PDF or text in base64",
    typeof url === "string" ? url.slice(0, 60) : url,
  );
}

/** Whatever people call their text (CSV, Markdown, JSON …), the model reads it as text. Its bytes are looked at later. */
const TEXT = /^(text\/.+|application\/(.+\+)?(json|xml|yaml|x-yaml|javascript|toml|sql))$/;

function storedType(kind: string): string {
  return TEXT.test(kind) ? "text/plain" : kind;
}
