/** One event on its way to its viewers: made once per worker, however many watch. Read by the sinks. */
import type { Activity } from "../core/activity.ts";
import { isTerminal, timestampOf, type JournalEvent } from "../core/event.ts";
import type { Snapshot } from "../process/protocol.ts";

export interface Frame {
  /** Its position in the feed: what a client resumes from. */
  readonly seq: number;
  /** When it was appended, in milliseconds since the epoch. */
  readonly at: number;
  /** Nothing comes after it. */
  readonly last: boolean;
  readonly json: string;
}

export function runFrame(event: JournalEvent): Frame {
  return { seq: event.seq, at: timestampOf(event), last: isTerminal(event.type), json: event.data };
}

export function activityFrame(activity: Activity): Frame {
  return { seq: activity.seq, at: activity.at, last: false, json: JSON.stringify(activity) };
}

export function snapshotFrame(snapshot: Snapshot): Frame {
  return { seq: snapshot.seq, at: snapshot.at, last: false, json: JSON.stringify(snapshot) };
}
