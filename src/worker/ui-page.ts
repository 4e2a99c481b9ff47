/**
 * A page of a stored thread for the AI SDK. Pages of a thread end at any message; a message of the AI SDK is a whole
 * answer, with its calls and their results. So this page leaves out the run that its oldest end cuts, and the next page
 * has that run whole. Called by `routes/chat.ts`.
 */
import type { StoredMessage } from "../core/message.ts";
import { placeOf, positionBehind } from "../engine/rules/reads.ts";
import { messagePieces, type AskedMessages, type PieceSource } from "./history-pieces.ts";

export interface UiPage {
  /** The oldest first. */
  readonly stored: readonly StoredMessage[];
  /** The index, in its run, of the first message: not 0 only if the whole page is a part of one run. */
  readonly firstIndex: number;
  /** Whether the newest run of the page goes on in the page before. */
  readonly isCutBehind: boolean;
  readonly next: number | null;
}

interface AskedPage {
  readonly limit: number;
  readonly before?: number | undefined;
}

export async function uiPageOf(source: PieceSource, threadId: string, { limit, before }: AskedPage): Promise<UiPage> {
  const { stored, next } = await readPage(source, { threadId, limit, before });
  const isCutBehind = before !== undefined && placeOf(before).index > 0;
  const firstIndex = next === null ? 0 : placeOf(next).index;
  const [first] = stored;
  if (next === null || firstIndex === 0 || !first) return { stored, firstIndex: 0, isCutBehind, next };
  const whole = stored.filter(({ run_id: runId }) => runId !== first.run_id);
  if (whole.length > 0) return { stored: whole, firstIndex: 0, isCutBehind, next: positionBehind(next) };
  if (!hasResults(first)) return { stored, firstIndex, isCutBehind, next };
  // Results are shown in their calls.
  const calls = await readPage(source, { threadId, limit: 1, before: next });
  return { stored: [...calls.stored, ...stored], firstIndex: firstIndex - 1, isCutBehind, next: calls.next };
}

async function readPage(source: PieceSource, asked: AskedMessages): Promise<Pick<UiPage, "stored" | "next">> {
  const pieces: StoredMessage[][] = [];
  let next: number | null = null;
  for await (const piece of messagePieces(source, asked)) {
    // The thread was deleted meanwhile, or never was.
    if (piece.items.length === 0) return { stored: [], next: null };
    pieces.push(piece.items.map(parsed));
    next = piece.next;
  }
  return { stored: pieces.toReversed().flat(), next };
}

function parsed(json: string): StoredMessage {
  return JSON.parse(json) as StoredMessage;
}

function hasResults({ content }: StoredMessage): boolean {
  return typeof content !== "string" && content.some(({ type }) => type === "tool_result");
}
