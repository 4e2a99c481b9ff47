/**
 * Deltas of a run that is over are joined: one row replaces many, so that old runs take a tenth of the space. Seqs then
 * have gaps, but no content is lost: a joined row has the seq of its last delta and the length of each delta, so that a
 * reader who has some of the deltas gets the others, and nothing twice. Pure; called by the drivers.
 */
import {
  journalRow,
  timestampOf,
  withoutDeltas,
  type JournalEvent,
  type RunEvent,
  type RunEventType,
} from "../../core/event.ts";

/** The events that only carry a piece of a longer text. */
export const DELTA_TYPES = [
  "TEXT_MESSAGE_CONTENT",
  "REASONING_MESSAGE_CONTENT",
  "TOOL_CALL_ARGS",
] as const satisfies readonly RunEventType[];

type DeltaEvent = Extract<RunEvent, { type: (typeof DELTA_TYPES)[number] }>;

/** A joined row ends with the delta that reaches this: readers take pages of about this size. */
const MAX_CHARACTERS = 16_384;

/** A row as a driver stores it. */
export interface StoredRow {
  readonly seq: number;
  readonly type: RunEventType;
  readonly data: string;
  /** For a joined row: the lengths of its deltas, in UTF-16 units, as a JSON array. Null for every other row. */
  readonly joined: string | null;
}

export interface JoinedRow extends StoredRow {
  /** It replaces all rows from this seq to its own. */
  readonly first: number;
}

interface Group {
  readonly rest: string;
  readonly first: StoredRow;
  readonly event: DeltaEvent;
  readonly deltas: string[];
  characters: number;
  seq: number;
}

/**
 * @param rows deltas of one run, in order, none of them joined yet; there may be others between them
 * @returns the joined rows, each for two or more deltas
 */
export function joinDeltas(rows: readonly StoredRow[]): JoinedRow[] {
  const groups: Group[] = [];
  for (const row of rows) {
    const event = JSON.parse(row.data) as DeltaEvent & { seq: number; timestamp: number };
    const { delta, seq: _seq, timestamp: _timestamp, ...fields } = event;
    const rest = JSON.stringify(fields);
    const group = groups.at(-1);
    if (group && group.seq === row.seq - 1 && group.rest === rest && group.characters < MAX_CHARACTERS) {
      group.deltas.push(delta);
      group.characters += delta.length;
      group.seq = row.seq;
    } else {
      groups.push({
        rest,
        first: row,
        event: { ...fields, delta },
        deltas: [delta],
        characters: delta.length,
        seq: row.seq,
      });
    }
  }
  return groups.filter(({ deltas }) => deltas.length > 1).map(toRow);
}

/** @returns the event for a reader who has everything up to `after` */
export function eventBehind(after: number, { seq, type, data, joined }: StoredRow): JournalEvent {
  if (joined === null) return { seq, type, data };
  const lengths = JSON.parse(joined) as number[];
  const first = seq - lengths.length + 1;
  if (first > after) return { seq, first, lengths, type, data };
  const known = after + 1 - first;
  const { seq: _seq, timestamp, ...event } = JSON.parse(data) as DeltaEvent & { seq: number; timestamp: number };
  const rest = { ...event, delta: withoutDeltas(event.delta, lengths, known) } as DeltaEvent;
  return { ...journalRow(rest, seq, timestamp), first: after + 1, lengths: lengths.slice(known) };
}

function toRow({ event, deltas, seq, first }: Group): JoinedRow {
  const whole = { ...event, delta: deltas.join("") };
  const joined = JSON.stringify(deltas.map(({ length }) => length));
  return { ...journalRow(whole, seq, timestampOf(first)), first: first.seq, joined };
}
