/**
 * The interface between a run's journal and the streams of other protocols. An encoder reads the journal from
 * its first event and turns each event into bytes of its protocol. It is a pure function of the events it has
 * seen, so every worker makes the same stream of the same run, with the same numbers after a reconnect.
 */
import type { RunEvent } from "../core/event.ts";
import { toJson } from "../core/json.ts";

/** An event as it is stored. */
export type StoredEvent = RunEvent & { readonly seq: number; readonly timestamp: number };

export interface StreamEncoder {
  /** Response headers that clients of the protocol expect, besides those of an event stream. */
  readonly headers: Readonly<Record<string, string>>;
  /** Tells that the stream ends before its run. Undefined where the protocol has no word for that: the stream is cut. */
  readonly lastWords?: string;
  /**
   * Call it with every event of one journal, from seq 1 on, in order.
   * @param lengths of the deltas that the event joins (RETAIN_DELTAS); undefined for an event as it was made
   * @returns the bytes to send (server-sent events); "" for an event that the protocol cannot express
   */
  encode(event: StoredEvent, lengths?: readonly number[]): string;
}

/** One unnamed server-sent event (WHATWG HTML § 9.2). */
export function dataLine(value: object): string {
  return `data: ${toJson(value)}\n\n`;
}

/** The last line of the streams of the AI SDK and of OpenAI. */
export const DONE = "data: [DONE]\n\n";
