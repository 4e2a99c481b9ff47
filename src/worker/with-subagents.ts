/** `subagents: "inline"`: a run's events, mixed with those of the runs that it delegates. For SSE and sockets. */
import { MAX_PAGE_ROWS, PAGE_CHARACTERS } from "../core/limits.ts";
import { Family } from "../stream/family.ts";
import type { RunKey } from "../stream/feeds.ts";
import type { OpenSink, Watch } from "../stream/viewer.ts";
import type { OwnDeps } from "./context.ts";

export interface FamilyWatch extends Pick<Watch, "after" | "onEnd"> {
  readonly sink: OpenSink;
  /** The result of `delegatedUpTo(after)`. */
  readonly before: readonly string[];
}

/** The returned object's `stop` ends the stream; nothing is written afterwards. */
export function watchWithSubagents(
  { delivery, engine }: Pick<OwnDeps, "delivery" | "engine">,
  run: RunKey,
  { sink, ...rest }: FamilyWatch,
): { stop(): void } {
  const watch = (key: RunKey, options: Omit<Watch, "feed">) =>
    delivery.watch({ feed: delivery.feeds.run(key), ...options });
  const family = new Family({ sink, watch, run: (runId) => engine.run(runId) });
  family.view(run, rest);
  return family;
}

/** The events that a client has already when it resumes after `after`: they say which delegated runs are under way. */
export async function delegatedUpTo(engine: OwnDeps["engine"], runId: string, after: number): Promise<string[]> {
  const known: string[] = [];
  for (let seq = 0; seq < after;) {
    const page = await engine.events(runId, seq, { limit: MAX_PAGE_ROWS, characters: PAGE_CHARACTERS });
    const last = page.at(-1);
    if (!last) break;
    // Leave out text, which says nothing about delegated runs.
    known.push(
      ...page.filter((row) => row.seq <= after && /^(CUSTOM|TOOL_CALL_RESULT)$/.test(row.type)).map(({ data }) => data),
    );
    seq = last.seq;
  }
  return known;
}
