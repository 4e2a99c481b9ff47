/**
 * The events of a run as an async iterator that resumes by itself: every event once, in order, over lost connections
 * and dead workers, until the run's last event.
 */
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { backoffMs } from "../core/backoff.ts";
import type { RunEvent } from "../core/event.ts";
import { chunksOf } from "./body.ts";
import { ConnectionError } from "./errors.ts";
import { sleep, type Call, type Http } from "./http.ts";

/** An event of the journal: AG-UI's, with its position. */
export type ClientEvent = RunEvent & { readonly seq: number; readonly timestamp: number };

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
}

const BACKOFF = { firstMs: 100, maxMs: 5_000 };

export async function* follow(options: FollowOptions): AsyncGenerator<ClientEvent, void, undefined> {
  const { http, giveUpAfterMs, silentAfterMs, runId, signal } = options;
  let { after, begin } = options;
  let failures = 0;
  let failingSince: number | undefined;
  // Comments count too: while a tool works, or the run waits, nothing else comes.
  const onHeard = () => (failingSince = undefined);
  for (;;) {
    const resume: Call = {
      path: `/api/runs/${encodeURIComponent(runId)}/events`,
      headers: { Accept: "text/event-stream", "Last-Event-ID": String(after) },
      signal,
    };
    const response = await http.send(begin ?? resume);
    begin = undefined;
    // The run is over, and the caller has all of it.
    if (response.status === 204) return;
    for await (const event of eventsOf(response, silentAfterMs, onHeard)) {
      failures = 0;
      // The answer to a repeated request begins at the first event again.
      if (event.seq <= after) continue;
      after = event.seq;
      yield event;
      if (event.type === "RUN_FINISHED" || event.type === "RUN_ERROR") return;
    }
    signal?.throwIfAborted();
    failures += 1;
    failingSince ??= performance.now();
    if (performance.now() - failingSince > giveUpAfterMs)
      throw new ConnectionError(`The stream of run ${runId} breaks off repeatedly after event ${after}.`, undefined);
    await sleep(backoffMs(failures, BACKOFF), signal);
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
    if (id) queue.push(JSON.parse(data) as ClientEvent);
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
