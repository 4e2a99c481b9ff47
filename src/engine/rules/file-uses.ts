/**
 * Which runs use which files. A run uses the files that its messages and the results of its tools name, and as long as
 * it is stored, retention keeps them. Each use is a row of `file_uses`, written in the transaction that stores the
 * message or the result: by the driver's own code (SQLite), or by triggers, because programs of an older version may
 * write to the same database (Postgres).
 *
 * `files.idle_since` is when a file was saved or its last use ended. It is null once retention has seen the file in
 * use, so that each file in use is looked at once and not every second. The end of a use sets it again.
 */
import type { Message } from "../../core/message.ts";
import type { NewRun } from "../../core/run.ts";

/** Runs whose uses one step learns: those that were stored before `file_uses` was there. */
export const LEARNED_A_STEP = 50;
/** Files that one step of retention looks at. */
export const FILES_A_STEP = 50;

/**
 * Stands in stored JSON before the id of a file, and never in a text, because JSON escapes the quotes of a text. It may
 * stand in the input of a tool: then the file is kept, too. A migration of Postgres has a copy of it.
 */
export const NAMES_FILE = '"file_id":"';

/** @param stored JSON as `JSON.stringify` writes it, without white space. @returns each id once */
export function filesNamedIn(stored: string): string[] {
  // A message of text alone is a JSON string, and is not searched.
  if (stored.startsWith('"') || !stored.includes(NAMES_FILE)) return [];
  const [, ...named] = stored.split(NAMES_FILE);
  return [...new Set(named.map((text) => text.slice(0, text.indexOf('"'))))];
}

/** The files that must exist when the run is enqueued, each once. */
export function filesSentWith({ content = "", before = [] }: Pick<NewRun, "content" | "before">): string[] {
  return [...new Set([...before.map((message) => message.content), content].flatMap(filesOf))];
}

function filesOf(content: Message["content"]): string[] {
  if (typeof content === "string") return [];
  return content.flatMap((block) => {
    if (block.type === "tool_result") return filesOf(block.content);
    if (block.type !== "image" && block.type !== "document") return [];
    return block.source.type === "file" ? [block.source.file_id] : [];
  });
}
