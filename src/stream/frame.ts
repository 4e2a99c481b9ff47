/**
 * One event on its way to its viewers: made once per worker, and serialised once for each transport, whatever
 * the number of viewers. The sockets of slow clients hold these same bytes. Made by feeds, read by the sinks.
 */
import { isTerminal, timestampOf, dataUnder, type JournalEvent } from "../core/event.ts";
import type { AttributedActivity } from "../engine/engine.ts";
import type { Snapshot } from "../process/protocol.ts";
import { toJson } from "../core/json.ts";
import { keptBytes } from "../core/kept-bytes.ts";

/** RFC 6455 § 5.2: a whole text message, from a server, so not masked. */
const TEXT_MESSAGE = 0x81;

interface Content {
  readonly seq: number;
  readonly first?: number | undefined;
  readonly lengths?: readonly number[] | undefined;
  readonly at: number;
  readonly last: boolean;
  readonly json: string;
  readonly owner?: string | null;
}

export class Frame implements Content {
  /** Its position in the feed, from which a client resumes. */
  readonly seq: number;
  /** The first position that it stands for: deltas of old runs are joined. */
  readonly first: number;
  /** The lengths of the joined deltas; undefined for every other frame. */
  readonly lengths: readonly number[] | undefined;
  /** The time at which it was appended, in milliseconds since the epoch. */
  readonly at: number;
  /** True for the last frame of the feed. */
  readonly last: boolean;
  readonly json: string;
  /** The principal that owns the event; null when it has no owner, or when the whole feed has one owner. */
  readonly owner: string | null;
  #serverSentEvent: Buffer | undefined;
  #textMessage: { readonly head: string; readonly bytes: Buffer } | undefined;

  constructor({ seq, first = seq, lengths, at, last, json, owner = null }: Content) {
    this.seq = seq;
    this.first = first;
    this.lengths = lengths;
    this.at = at;
    this.last = last;
    this.json = json;
    this.owner = owner;
  }

  /** WHATWG HTML § 9.2.6, with the seq as its id. */
  get serverSentEvent(): Buffer {
    this.#serverSentEvent ??= keptBytes(`id: ${this.seq}\ndata: ${this.json}\n\n`);
    return this.#serverSentEvent;
  }

  /**
   * The whole RFC 6455 frame. Cached for the last `head` only, because clients that watch the same feed
   * mostly use the same subscription id. @param head the beginning of the message's object, which names the
   * subscription
   */
  textMessage(head: string): Buffer {
    if (this.#textMessage?.head !== head)
      this.#textMessage = { head, bytes: textMessage(`${head}"seq":${this.seq},"event":${this.json}}`) };
    return this.#textMessage.bytes;
  }
}

export function runFrame(event: JournalEvent, basePath: string): Frame {
  const { seq, first, lengths, type } = event;
  const json = dataUnder(basePath, event);
  return new Frame({ seq, first, lengths, at: timestampOf(event), last: isTerminal(type), json });
}

export function activityFrame({ activity, principal }: AttributedActivity): Frame {
  const { seq, at } = activity;
  return new Frame({ seq, at, last: false, json: toJson(activity), owner: principal });
}

export function snapshotFrame(snapshot: Snapshot): Frame {
  return new Frame({ seq: snapshot.seq, at: snapshot.at, last: false, json: toJson(snapshot) });
}

function textMessage(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const headBytes = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  // Not from the pool of small buffers: see `keptBytes`.
  const bytes = Buffer.allocUnsafeSlow(headBytes + length);
  bytes[0] = TEXT_MESSAGE;
  bytes[1] = headBytes === 2 ? length : headBytes === 4 ? 126 : 127;
  if (headBytes === 4) bytes.writeUInt16BE(length, 2);
  if (headBytes === 10) bytes.writeBigUInt64BE(BigInt(length), 2);
  bytes.write(text, headBytes);
  return bytes;
}
