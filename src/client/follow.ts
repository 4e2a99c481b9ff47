/**
 * The events of a run as an async iterator that resumes by itself: every event once, in order, over lost connections
 * and dead workers, until the run's last event.
 */
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { backoffMs } from "../core/backoff.ts";
import type { RunEvent, SubagentEvent } from "../core/event.ts";
import { chunksOf } from "./body.ts";
import { ConnectionError } from "./errors.ts";
import { sleep, type Call, type Http } from "./http.ts";

/**
 * An event of the journal: AG-UI's, with its position. With `subagentRunId` it is one of a delegated run, and its position is one
 * in the journal of that run.
 */
export type ClientEvent = (RunEvent | SubagentEvent) & {
  readonly seq: number;
  readonly timestamp: number;
  readonly subagentRunId?: string;
};

export interface FollowOptions {
  readonly http: Http;
  readonly giveUpAfterMs: number;
  readonly silentAfterMs: number;
  /** The seq of the last event that the caller has. */
  readonly after: number;
  readonly signal: AbortSignal | undefined;
  /** The request that begins the run and streams it. If it is given, it is the first connection. */
  readonly begin?: Call;
  readonly runId: string;
  /** Shows the runs that the run delegates, too. */
  readonly subagents?: "inline" | undefined;
}

const BACKOFF = { firstMs: 100, maxMs: 5_000 };

export async function* follow(options: FollowOptions): AsyncGenerator<ClientEvent, void, undefined> {
  const { http, giveUpAfterMs, silentAfterMs, runId, subagents, signal } = options;
  const had = new Had(options.after);
  let { begin } = options;
  let failures = 0;
  let failingSince: number | undefined;
  // Comments count too: while a tool works, or the run waits, nothing else comes.
  const onHeard = () => (failingSince = undefined);
  for (;;) {
    const resume: Call = {
      path: `/api/runs/${encodeURIComponent(runId)}/events`,
      query: { subagents },
      headers: { Accept: "text/event-stream", "Last-Event-ID": String(had.after) },
      signal,
    };
    const response = await http.send(begin ?? resume);
    begin = undefined;
    // The run is over, and the caller has all of it.
    if (response.status === 204) return;
    for await (const event of eventsOf(response, silentAfterMs, onHeard)) {
      failures = 0;
      if (had.add(event)) yield event;
      if (event.type === "RUN_FINISHED" || event.type === "RUN_ERROR") return;
    }
    signal?.throwIfAborted();
    failures += 1;
    failingSince ??= performance.now();
    if (performance.now() - failingSince > giveUpAfterMs)
      throw new ConnectionError(
        `The stream of run ${runId} breaks off repeatedly after event ${had.after}.`,
        undefined,
      );
    await sleep(backoffMs(failures, BACKOFF), signal);
  }
}

/**
 * The events that the caller has. The answer to a repeated request begins at the first one again, and one that resumes has those
 * of delegated runs under way from their beginning.
 */
class Had {
  after: number;
  /** The last seq of each delegated run; Infinity when the caller has its end. Bounded by the runs that one may delegate. */
  readonly #delegated = new Map<string, number>();

  constructor(after: number) {
    this.after = after;
  }

  /** @returns false for an event that the caller has */
  add({ type, seq, subagentRunId }: ClientEvent): boolean {
    if (subagentRunId === undefined) {
      if (seq <= this.after) return false;
      this.after = seq;
      return true;
    }
    const last = this.#delegated.get(subagentRunId) ?? -1;
    // The end of a run that was deleted is no event of a journal, and has no seq above the others.
    const at = type === "SUBAGENT_FINISHED" || type === "SUBAGENT_ERROR" ? Number.POSITIVE_INFINITY : seq;
    if (at <= last) return false;
    this.#delegated.set(subagentRunId, at);
    return true;
  }
}

/**
 * Ends when the connection ends or is silent for too long; the caller resumes.
 * @param onHeard called for each sign of life of the server
 */
async function* eventsOf(
  response: Response,
  silentAfterMs: number,
  onHeard: () => void,
): AsyncGenerator<ClientEvent, void, undefined> {
  const queue: ClientEvent[] = [];
  const onEvent = ({ id, data }: EventSourceMessage) => {
    onHeard();
    const event = JSON.parse(data) as ClientEvent;
    // Only the run's own events have an id. What else has none is no event of a journal.
    if (id || event.subagentRunId !== undefined) queue.push(event);
  };
  const parser = createParser({ onEvent, onComment: onHeard });
  const decoder = new TextDecoder();
  for await (const chunk of untilBroken(chunksOf(response, silentAfterMs))) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    yield* queue.splice(0);
  }
}

async function* untilBroken<T>(chunks: AsyncGenerator<T, void, undefined>): AsyncGenerator<T, void, undefined> {
  try {
    yield* chunks;
  } catch {
    // The caller resumes.
  }
}
