/** `subagents: "inline"`: a run's events, mixed with those of the runs that it delegates. For SSE and sockets. */
import type { JournalEvent } from "../core/event.ts";
import type { StoredEvent } from "../protocols/encoder.ts";
import { delegatedBy, Family } from "../stream/family.ts";
import type { RunKey } from "../stream/feeds.ts";
import type { OpenSink, Watch } from "../stream/viewer.ts";
import type { OwnDeps } from "./context.ts";
import { journalPieces } from "./history-pieces.ts";
import { reportFailure } from "./report-failure.ts";

export interface FamilyWatch extends Pick<Watch, "after" | "onEnd"> {
  readonly sink: OpenSink;
  /** The result of `delegatedUpTo(after)`. */
  readonly before: readonly string[];
}

/** The returned object's `stop` ends the stream; nothing is written afterwards. */
export function watchWithSubagents(
  { delivery, engine, log }: Pick<OwnDeps, "delivery" | "engine" | "log">,
  run: RunKey,
  { sink, ...rest }: FamilyWatch,
): { stop(): void } {
  const watch = (key: RunKey, options: Omit<Watch, "feed">) =>
    delivery.watch({ feed: delivery.feeds.run(key), ...options });
  const report = (error: unknown, runId: string) => reportFailure(log, error, { run_id: runId });
  const family = new Family({ sink, watch, report, run: (runId) => engine.run(runId) });
  family.view(run, rest);
  return family;
}

/**
 * Of the events that a client has already when it resumes after `after`, those that say which delegated runs are under way.
 * Bounded by MAX_DELEGATED_RUNS: of results only the call is kept, as a result may have megabytes.
 */
export async function delegatedUpTo(
  { engine, delivery }: Pick<OwnDeps, "engine" | "delivery">,
  runId: string,
  after: number,
): Promise<string[]> {
  const known: string[] = [];
  const calls = new Set<string>();
  if (after === 0) return known;
  for await (const piece of journalPieces({ engine, pieceQueue: delivery.pieceQueue }, runId)) {
    for (const row of piece) if (row.seq <= after) known.push(...aboutDelegated(row, calls));
    if (piece.some(({ seq }) => seq >= after)) break;
  }
  return known;
}

/** @param calls those that delegated, so far; more are added */
function aboutDelegated({ type, data }: JournalEvent, calls: Set<string>): string[] {
  if (type !== "CUSTOM" && type !== "TOOL_CALL_RESULT") return [];
  const event = JSON.parse(data) as StoredEvent;
  const delegated = delegatedBy(event);
  if (delegated) {
    calls.add(delegated.toolCallId);
    return [data];
  }
  if (event.type !== "TOOL_CALL_RESULT" || !calls.has(event.toolCallId)) return [];
  return [JSON.stringify({ ...event, content: "" })];
}
