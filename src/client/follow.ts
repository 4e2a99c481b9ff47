/**
 * The events of a run as an async iterator that resumes by itself: every event once, in order, over lost connections
 * and dead workers, until the run's last event.
 */
import { createParser } from "eventsource-parser";
import { backoffMs } from "../core/backoff.ts";
import type { RunEvent } from "../core/event.ts";
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
  let heardAt = performance.now();
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
    for await (const event of eventsOf(response, silentAfterMs)) {
      failures = 0;
      heardAt = performance.now();
      // The answer to a repeated request begins at the first event again.
      if (event.seq <= after) continue;
      after = event.seq;
      yield event;
      if (event.type === "RUN_FINISHED" || event.type === "RUN_ERROR") return;
    }
    signal?.throwIfAborted();
    failures += 1;
    if (performance.now() - heardAt > giveUpAfterMs)
      throw new ConnectionError(`The stream of run ${runId} breaks off repeatedly after event ${after}.`, undefined);
    await sleep(backoffMs(failures, BACKOFF), signal);
  }
}

/** Ends when the connection ends or is silent for too long; the caller resumes. */
async function* eventsOf({ body }: Response, silentAfterMs: number): AsyncGenerator<ClientEvent, void, undefined> {
  const queue: ClientEvent[] = [];
  const parser = createParser({ onEvent: ({ id, data }) => void (id && queue.push(JSON.parse(data) as ClientEvent)) });
  const reader = body?.getReader();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const read = reader && (await within(reader.read(), silentAfterMs).catch(() => undefined));
      if (!read || read.done) return;
      parser.feed(decoder.decode(read.value, { stream: true }));
      yield* queue.splice(0);
    }
  } finally {
    // The caller stopped or the connection broke: in both cases nobody needs the rest.
    void reader?.cancel().catch(() => {});
  }
}

/** Undefined when `promise` takes longer. */
function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), ms);
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
