/**
 * Reads server-sent events as a client does and checks the server's promise: the ids of a run are contiguous, and each
 * is the event's own seq. Called by tests only.
 */
import { EventSourceParserStream } from "eventsource-parser/stream";
import type { ReadEvent } from "./journal.ts";

export interface SseEvent {
  readonly id: number;
  readonly event: ReadEvent;
  /** What stood in `data:`, byte for byte. */
  readonly data: string;
}

/** @throws Error at the first id that is not the one after the last, or not its event's seq */
export async function* readSse(response: Response, after = 0): AsyncGenerator<SseEvent> {
  const type = response.headers.get("content-type") ?? "";
  if (!response.body || !type.startsWith("text/event-stream")) {
    throw new Error(`Expected an event stream, got ${response.status} ${type}: ${await response.text()}`);
  }
  let last = after;
  const messages = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  for await (const { id, data } of messages) {
    const event = JSON.parse(data) as ReadEvent;
    if (Number(id) !== last + 1 || event.seq !== last + 1) {
      throw new Error(`Expected id ${last + 1}, got id ${id} with seq ${event.seq}.`);
    }
    last = event.seq;
    yield { id: last, event, data };
  }
}

/** Every event until the server ends the stream. */
export async function readAll(response: Response, after = 0): Promise<SseEvent[]> {
  return Array.fromAsync(readSse(response, after));
}

/** Reads events up to the first that matches, and then disconnects. */
export async function readUntil(
  response: Response,
  fits: (event: ReadEvent) => boolean,
  after = 0,
): Promise<SseEvent[]> {
  const seen: SseEvent[] = [];
  for await (const item of readSse(response, after)) {
    seen.push(item);
    if (fits(item.event)) return seen;
  }
  throw new Error(`The stream ended before it: ${seen.map(({ event }) => event.type).join(" ")}`);
}
