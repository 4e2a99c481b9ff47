/** Two ways to follow a run: stream its events, or wait for its end. Used by the chat and run routes. */
import type { ServerResponse } from "node:http";
import { AppError, hasCode } from "../core/errors.ts";
import { isOver, type Run } from "../core/run.ts";
import type { StreamEncoder } from "../protocols/encoder.ts";
import { EncodedStream } from "../stream/encoded.ts";
import { runNow, type RunKey } from "../stream/feeds.ts";
import { readAgain } from "../stream/read-again.ts";
import type { OwnDeps } from "./context.ts";
import { reportFailure } from "./report-failure.ts";
import { watchWithSubagents } from "./with-subagents.ts";

export interface StreamOptions {
  readonly response: ServerResponse;
  readonly run: RunKey;
  readonly after: number;
  /** Called when the client disconnects before the run's end. */
  readonly onAbandon?: () => void;
  /**
   * For clients of another protocol. `after` must be 0 then, because an encoder reads a journal from its beginning. With
   * `before`, the encoder must take the events of delegated runs.
   */
  readonly encoder?: StreamEncoder;
  /** Nobody can ask for the run again: when this worker ends before it, the run is abandoned too. Default: false. */
  readonly isPassing?: boolean;
  /** Shows delegated runs inside the stream. Holds their events up to `after`. */
  readonly before?: readonly string[];
}

/** Streams the run's events as SSE from `after` on, and ends with the run's last event. */
export function streamRun({ delivery, log, engine }: OwnDeps, options: StreamOptions): void {
  const { response, run, after, onAbandon, encoder, before, isPassing = false } = options;
  // The client has disconnected while its run was being stored, so no close event will come.
  if (response.destroyed) return onAbandon?.();
  let ended = false;
  for (const [name, value] of Object.entries(encoder?.headers ?? {})) response.setHeader(name, value);
  const stream = delivery.openStream(response, { encoder });
  // HEAD gets the headers of a GET, which are known already.
  if (response.req.method === "HEAD") {
    stream.open();
    stream.end();
    return;
  }
  const onEnd = (error?: unknown) => {
    ended = true;
    if (!error) return stream.end();
    reportFailure(log, error, { run_id: run.run_id });
    stream.cut();
  };
  const sink = encoder ? new EncodedStream(stream, encoder) : stream;
  const viewer = before
    ? watchWithSubagents({ delivery, engine, log }, run, { after, before, sink, onEnd })
    : delivery.watch({ feed: delivery.feeds.run(run), after, sink, onEnd });
  stream.onClose(() => {
    viewer.stop();
    // When we leave the stream, to drain, the client has not given up its run.
    if (!ended && (isPassing || !stream.left)) onAbandon?.();
  });
  stream.open();
}

/**
 * The run when it is over; undefined when the signal was aborted before. Outlasts troubles of the storage.
 * @throws AppError SHUTTING_DOWN when this worker has to end before the run is over; the run goes on. RUN_NOT_FOUND
 * when it was deleted
 */
export async function waitForEnd(
  { engine, delivery, closing }: OwnDeps,
  run: RunKey,
  signal: AbortSignal,
): Promise<Run | undefined> {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const feed = delivery.feeds.run(run);
  const onFrames = () => feed.ended && resolve();
  feed.listen(onFrames);
  const left = new AbortController();
  const onAbort = () => {
    left.abort();
    resolve();
  };
  for (const source of [signal, closing]) {
    source.addEventListener("abort", onAbort);
    if (source.aborted) onAbort();
  }
  // Follow the feed first and read the run afterwards: an end between the two is then seen by one of them.
  const read = async () => {
    await feed.followed();
    return runNow(engine, run);
  };
  try {
    const before = await readAgain(read, left.signal);
    if (!isOver(before.status)) await ended;
    const now = await readAgain(read, left.signal);
    if (isOver(now.status)) return now;
  } catch (error) {
    if (!left.signal.aborted || !hasCode(error, "STORAGE_UNAVAILABLE")) throw error;
  } finally {
    feed.unlisten(onFrames);
    for (const source of [signal, closing]) source.removeEventListener("abort", onAbort);
  }
  if (signal.aborted) return undefined;
  const { run_id: runId } = run;
  const detail = `Run ${runId} goes on; ask for it again at /api/runs/${runId}.`;
  throw new AppError("SHUTTING_DOWN", detail, { runId, retryAfterS: 2 });
}
