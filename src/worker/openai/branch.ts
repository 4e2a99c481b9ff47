/**
 * Where the response after another one goes on: in its thread, while nothing was said there since. Otherwise in a thread
 * of its own, which begins with what was said until then. Calls of tools and their results are left out there.
 */
import { AppError } from "../../core/errors.ts";
import { MAX_PAGE_ROWS, PAGE_CHARACTERS } from "../../core/limits.ts";
import { textOf, type Message, type StoredMessage } from "../../core/message.ts";
import { isOver, type Run } from "../../core/run.ts";
import type { OwnDeps } from "../context.ts";

const PIECE_CHARACTERS = 64 * 1024;

/** Whether the model gets nothing of the thread that is newer than the run. */
export async function isNewest(run: Run, deps: OwnDeps): Promise<boolean> {
  for await (const { run_id: runId, sent } of newestFirst(run.thread_id, deps)) {
    if (runId === run.run_id) return true;
    if (sent !== false) return false;
  }
  return true;
}

/**
 * What the model gets of the thread up to the end of the run, in words, pictures and documents, the oldest first.
 * @throws AppError THREAD_BUSY while the run is under way, INVALID_REQUEST when that is too long to be said again
 */
export async function saidUpTo(run: Run, deps: OwnDeps): Promise<Message[]> {
  if (!isOver(run.status)) throw new AppError("THREAD_BUSY", `Response resp_${run.run_id} is under way; wait for it.`);
  const said: Message[] = [];
  let isBehind = true;
  let characters = 0;
  for await (const message of newestFirst(run.thread_id, deps)) {
    isBehind &&= message.run_id !== run.run_id;
    if (isBehind || message.sent === false) continue;
    const content = contentOf(message);
    if (content.length === 0) continue;
    characters += JSON.stringify(content).length;
    if (characters > PAGE_CHARACTERS) throw tooLong(run);
    said.push({ role: message.role, content });
  }
  return said.toReversed();
}

function contentOf(message: StoredMessage): Message["content"] {
  const { role, content } = message;
  if (typeof content === "string") return content;
  if (role === "assistant") return textOf(message).trim();
  return content.filter(({ type }) => type === "text" || type === "image" || type === "document");
}

function tooLong({ run_id: runId }: Run): AppError {
  const detail = `The conversation up to response resp_${runId} is too long to go on beside its thread; continue from its newest response, and store it.`;
  return new AppError("INVALID_REQUEST", detail);
}

async function* newestFirst(threadId: string, { engine, delivery }: OwnDeps): AsyncGenerator<StoredMessage> {
  let before: number | null = null;
  do {
    await delivery.pieceQueue.next();
    const page = { limit: MAX_PAGE_ROWS, characters: PIECE_CHARACTERS, ...(before !== null && { before }) };
    const { items, next } = await engine.messages(threadId, page);
    for (const json of items.toReversed()) yield JSON.parse(json) as StoredMessage;
    before = next;
  } while (before !== null);
}
