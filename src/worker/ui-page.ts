/**
 * A page of a stored thread for the AI SDK. Pages of a thread end at any message; a message of the AI SDK is a whole
 * answer, with its calls and their results. So this page leaves out the run that its oldest end cuts, and the next page
 * has that run whole. Called by `routes/chat.ts`.
 */
import { PAGE_CHARACTERS } from "../core/limits.ts";
import type { StoredMessage } from "../core/message.ts";
import { placeOf, positionBehind } from "../engine/rules/reads.ts";
import type { OwnEngine } from "./own-engine.ts";

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

export async function uiPageOf(engine: OwnEngine, threadId: string, { limit, before }: AskedPage): Promise<UiPage> {
  const read = (rows: number, end: number | undefined) =>
    engine.messages(threadId, { limit: rows, characters: PAGE_CHARACTERS, ...(end !== undefined && { before: end }) });
  const { items, next } = await read(limit, before);
  const stored = items.map(parsed);
  const isCutBehind = before !== undefined && placeOf(before).index > 0;
  const firstIndex = next === null ? 0 : placeOf(next).index;
  const [first] = stored;
  if (next === null || firstIndex === 0 || !first) return { stored, firstIndex: 0, isCutBehind, next };
  const whole = stored.filter(({ run_id: runId }) => runId !== first.run_id);
  if (whole.length > 0) return { stored: whole, firstIndex: 0, isCutBehind, next: positionBehind(next) };
  if (!hasResults(first)) return { stored, firstIndex, isCutBehind, next };
  // Results are shown in their calls.
  const calls = await read(1, next);
  return { stored: [...calls.items.map(parsed), ...stored], firstIndex: firstIndex - 1, isCutBehind, next: calls.next };
}

function parsed(json: string): StoredMessage {
  return JSON.parse(json) as StoredMessage;
}

function hasResults({ content }: StoredMessage): boolean {
  return typeof content !== "string" && content.some(({ type }) => type === "tool_result");
}
