/** The result of a tool, as a card shows it: text, pictures and documents. Pure. */
import type { ContentPart } from "@ag-ui/core";
import { fileIdIn } from "../../core/file.ts";
import type { FilePart } from "./question.ts";

export interface ShownResult {
  readonly text: string;
  readonly files: readonly FilePart[];
}

export function shownResult(content: string | readonly ContentPart[]): ShownResult {
  if (typeof content === "string") return { text: content, files: [] };
  const shown = content.map((part) => (part.type === "text" ? part.text : (fileOf(part) ?? `[${part.type}]`)));
  return {
    text: shown.filter((part) => typeof part === "string").join("\n"),
    files: shown.filter((part) => typeof part !== "string"),
  };
}

function fileOf({ type, source }: Exclude<ContentPart, { type: "text" }>): FilePart | undefined {
  if ((type !== "image" && type !== "document") || source.type !== "url") return undefined;
  const { value: url } = source;
  const fileId = fileIdIn(url);
  return { type, source: fileId === undefined ? { type: "url", url } : { type: "file", file_id: fileId } };
}
