/**
 * The messages of the bus: lines of text. The channel says what the lines are:
 * - events, a few dozen channels by the run's number: `n seq type data` for an event, `n seq` for an event that is too
 *   long for a payload, `n` for a run that was deleted.
 * - activities: says only that there are new ones.
 * - owners: `work` when there may be a run to claim, else the key of an owner that has a run to cancel.
 */
import type { JournalEvent, RunEventType } from "../../core/event.ts";
import type { BusMessage } from "./bus.ts";
import type { News } from "./unit.ts";

const EVENT_CHANNELS = 32;
export const ACTIVITIES_CHANNEL = "evenkeel_activities";
export const OWNERS_CHANNEL = "evenkeel_owners";
export const WORK = "work";

export function eventChannel(runNumber: number): string {
  return `evenkeel_events_${runNumber % EVENT_CHANNELS}`;
}

/** The news as messages. @param maxBytes the bound of a payload */
export function messagesOf({ events, deleted, hasActivities, hasWork, owners }: News, maxBytes: number): BusMessage[] {
  const lines = Map.groupBy(
    [
      ...events.flatMap(({ n, events: rows }) => rows.map((row) => ({ n, line: lineOf(n, row, maxBytes) }))),
      ...deleted.map((n) => ({ n, line: String(n) })),
    ],
    ({ n }) => eventChannel(n),
  );
  const messages: BusMessage[] = [];
  for (const [channel, list] of lines) {
    for (const payload of payloadsOf(
      list.map(({ line }) => line),
      maxBytes,
    ))
      messages.push({ channel, payload });
  }
  if (hasActivities) messages.push({ channel: ACTIVITIES_CHANNEL, payload: "" });
  const toOwners = [...(hasWork ? [WORK] : []), ...owners];
  for (const payload of payloadsOf(toOwners, maxBytes)) messages.push({ channel: OWNERS_CHANNEL, payload });
  return messages;
}

function lineOf(n: number, { seq, type, data }: JournalEvent, maxBytes: number): string {
  const line = `${n} ${seq} ${type} ${data}`;
  // A character has up to three bytes in UTF-8. Count exactly only the lines that may be too long.
  const isShort = line.length * 3 <= maxBytes || Buffer.byteLength(line) <= maxBytes;
  return isShort ? line : `${n} ${seq}`;
}

/** @param lines each within the bound of a payload */
function payloadsOf(lines: readonly string[], maxBytes: number): string[] {
  const payloads: string[] = [];
  let [payload, bytes] = ["", 0];
  for (const line of lines) {
    const more = Buffer.byteLength(line) + 1;
    if (payload !== "" && bytes + more > maxBytes) {
      payloads.push(payload);
      [payload, bytes] = ["", 0];
    }
    payload += payload === "" ? line : `\n${line}`;
    bytes += more;
  }
  return payload === "" ? payloads : [...payloads, payload];
}

export interface EventLine {
  readonly n: number;
  /** Undefined for a run that was deleted. */
  readonly seq: number | undefined;
  /** Undefined for an event that has to be read from the table. */
  readonly event: JournalEvent | undefined;
}

/** @param wants whether anybody follows the run; lines of other runs are not parsed */
export function* linesOf(payload: string, wants: (n: number) => boolean): Generator<EventLine> {
  for (const line of payload.split("\n")) {
    const n = Number.parseInt(line, 10);
    if (wants(n)) yield parse(n, line);
  }
}

function parse(n: number, line: string): EventLine {
  const [, first = "", type] = line.split(" ", 3);
  if (first === "") return { n, seq: undefined, event: undefined };
  const seq = Number(first);
  if (type === undefined) return { n, seq, event: undefined };
  const start = String(n).length + first.length + type.length + 3;
  return { n, seq, event: { seq, type: type as RunEventType, data: line.slice(start) } };
}
