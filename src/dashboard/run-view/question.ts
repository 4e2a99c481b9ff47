/** What a person asked: text, pictures and documents, in the order in which the model gets them. Pure. */
import type { Part } from "../../api/parts.ts";
import type { Message } from "../../core/message.ts";

export interface TextPart {
  readonly type: "text";
  readonly text: string;
}

export interface FilePart {
  readonly type: "image" | "document";
  readonly source: { readonly type: "file"; readonly file_id: string } | { readonly type: "url"; readonly url: string };
  /** The name, if the file was uploaded here. */
  readonly name?: string;
}

export type Question = readonly (TextPart | FilePart)[];

export function question(text: string, files: readonly FilePart[] = []): Question {
  return text.trim() === "" ? files : [...files, { type: "text", text }];
}

/** Reads a stored message. Only these kinds of blocks come from a person. */
export function questionOf({ content }: Message): Question {
  if (typeof content === "string") return [{ type: "text", text: content }];
  return content.filter((block) => block.type === "text" || block.type === "image" || block.type === "document");
}

export function textOf(asked: Question): string {
  return asked.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n");
}

export function filesOf(asked: Question): FilePart[] {
  return asked.filter((part) => part.type !== "text");
}

/** The question in the shape that the API takes. */
export function messageOf(asked: Question): string | Part[] {
  const [first] = asked;
  if (asked.length === 1 && first?.type === "text") return first.text;
  return asked.map((part) => (part.type === "text" ? part : { type: part.type, source: part.source }));
}
