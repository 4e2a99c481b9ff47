/**
 * Reads a thread or a journal in pieces, of which `page-queue.ts` lets one through per tick: neither a page nor many at once hold up the event
 * loop. Of a page that is sent, a piece is read only when the client has taken the one before, and no piece is referred to once
 * it is written: what lives through some collections of V8 stays in memory until the next large one. Used by the routes, and by
 * all in the worker that reads a whole journal.
 */
import { AppError } from "../core/errors.ts";
import { dataUnder, type JournalEvent } from "../core/event.ts";
import { safeJson } from "../core/json.ts";
import { MAX_PAGE_ROWS, PAGE_CHARACTERS } from "../core/limits.ts";
import type { EventPage, ListPage } from "../engine/engine.ts";
import type { Delivery } from "../stream/delivery.ts";
import type { PageQueue } from "../stream/page-queue.ts";
import type { OwnEngine } from "./own-engine.ts";
import type { Context } from "./serve.ts";

/** A piece ends with the row that reaches this much. */
const PIECE_CHARACTERS = 64 * 1024;

export interface PieceSource {
  readonly engine: Pick<OwnEngine, "messages" | "events">;
  readonly pieceQueue: PageQueue;
}

/** All events of a run so far, in order, some at a time: a journal may have 100,000. */
export async function* journalPieces(
  { engine, pieceQueue }: PieceSource,
  runId: string,
): AsyncGenerator<readonly JournalEvent[], void, undefined> {
  for (let after = 0; ;) {
    await pieceQueue.next();
    const piece = await engine.events(runId, after, { limit: MAX_PAGE_ROWS, characters: PIECE_CHARACTERS });
    const last = piece.at(-1);
    if (!last) return;
    yield piece;
    after = last.seq;
  }
}

/** The newest messages before a position, at least one if there is one: from the newest piece back. */
export async function* messagePieces(
  { engine, pieceQueue }: PieceSource,
  { threadId, limit, before }: AskedMessages,
): AsyncGenerator<ListPage<string>, void, undefined> {
  let [rows, characters] = [0, 0];
  let end: number | null | undefined = before;
  do {
    const page = { limit: limit - rows, characters: Math.min(PIECE_CHARACTERS, PAGE_CHARACTERS - characters) };
    await pieceQueue.next();
    const piece = await engine.messages(threadId, { ...page, ...(end !== undefined && { before: end }) });
    yield piece;
    rows += piece.items.length;
    characters += charactersOf(piece.items);
    end = piece.next;
  } while (end !== null && rows < limit && characters < PAGE_CHARACTERS);
}

/** The rows of a page, in order, some at a time. */
export interface Pieces {
  /** True until the last piece was read. */
  readonly more: boolean;
  /** Rows of JSON, joined by commas; empty when the page has none. Call it once, and again while there are `more`. */
  read(): Promise<string>;
}

export interface AskedMessages {
  readonly threadId: string;
  readonly limit: number;
  readonly before: number | undefined;
}

/** A piece that was measured. */
interface Piece {
  /** As in `MessagePage`. */
  readonly before: number;
  readonly rows: number;
}

/**
 * The newest messages before a position, oldest first, at least one if there is one. A page of more than one piece is measured
 * from its newest message back, and then read from its oldest piece on.
 */
export class MessagePieces implements Pieces {
  readonly #source: PieceSource;
  readonly #asked: AskedMessages;
  /** The oldest piece comes last. Bounded by the limit of a page. */
  readonly #measured: Piece[] = [];
  #wasAsked = false;
  #next: number | null = null;

  constructor(source: PieceSource, asked: AskedMessages) {
    this.#source = source;
    this.#asked = asked;
  }

  get more(): boolean {
    return !this.#wasAsked || this.#measured.length > 0;
  }

  /** The position of the next page; null when there is none. Known once the first piece was read. */
  get next(): number | null {
    return this.#next;
  }

  /** @throws AppError THREAD_NOT_FOUND when the thread is deleted meanwhile */
  async read(): Promise<string> {
    if (!this.#wasAsked) {
      this.#wasAsked = true;
      const whole = await this.#readWhole();
      if (whole !== undefined) return whole;
      await this.#measure();
    }
    return this.#readMeasured();
  }

  /** @returns the page, if it is no more than one piece */
  async #readWhole(): Promise<string | undefined> {
    const { limit, before } = this.#asked;
    const { items, next } = await this.#page({ limit, characters: PIECE_CHARACTERS }, before);
    if (next !== null && items.length < limit) return undefined;
    this.#next = next;
    return joined(items);
  }

  async #measure(): Promise<void> {
    let before = await this.#end(this.#asked.before);
    for await (const { items, next } of messagePieces(this.#source, { ...this.#asked, before })) {
      this.#measured.push({ before, rows: items.length });
      this.#next = next;
      before = next ?? 0;
    }
  }

  /** Behind the newest message of the page, so that messages that are appended meanwhile are no part of it. */
  async #end(before: number | undefined): Promise<number> {
    if (before !== undefined) return before;
    const { next } = await this.#page({ limit: 1 }, undefined);
    // `next` is the position of the one message; positions are whole numbers.
    return next === null ? Number.MAX_SAFE_INTEGER : next + 1;
  }

  async #readMeasured(): Promise<string> {
    const { before, rows } = this.#measured.pop() ?? { before: 0, rows: 0 };
    const { items } = await this.#page({ limit: rows }, before);
    if (items.length === rows) return joined(items);
    throw new AppError("THREAD_NOT_FOUND", `Thread ${this.#asked.threadId} was deleted.`);
  }

  async #page(page: EventPage, before: number | undefined) {
    const { engine, pieceQueue } = this.#source;
    await pieceQueue.next();
    return engine.messages(this.#asked.threadId, { ...page, ...(before !== undefined && { before }) });
  }
}

export interface AskedEvents {
  readonly runId: string;
  readonly after: number;
  readonly limit: number;
  /** The seq of the run's newest event: behind it nothing is looked for. */
  readonly newest: number;
  /** Under which path of a proxy clients ask. */
  readonly basePath: string;
}

/** The events after a position, in order. */
export class EventPieces implements Pieces {
  readonly #source: PieceSource;
  readonly #asked: AskedEvents;
  #last: number;
  #rows = 0;
  #characters = 0;

  constructor(source: PieceSource, asked: AskedEvents) {
    this.#source = source;
    this.#asked = asked;
    this.#last = asked.after;
  }

  get more(): boolean {
    return this.#last < this.#asked.newest && this.#rows < this.#asked.limit && this.#characters < PAGE_CHARACTERS;
  }

  /** The position of the next page; null when there is none. */
  get next(): number | null {
    return this.#last < this.#asked.newest ? this.#last : null;
  }

  /** @throws AppError RUN_NOT_FOUND when the run is deleted meanwhile */
  async read(): Promise<string> {
    if (!this.more) return "";
    const { engine, pieceQueue } = this.#source;
    const { runId, limit, basePath } = this.#asked;
    await pieceQueue.next();
    const characters = Math.min(PIECE_CHARACTERS, PAGE_CHARACTERS - this.#characters);
    const events = await engine.events(runId, this.#last, { limit: limit - this.#rows, characters });
    const last = events.at(-1);
    if (!last) throw new AppError("RUN_NOT_FOUND", `Run ${runId} was deleted.`);
    const rows = events.map((event) => dataUnder(basePath, event));
    this.#last = last.seq;
    this.#rows += rows.length;
    this.#characters += charactersOf(rows);
    return joined(rows);
  }
}

export interface PiecesAnswer {
  /** JSON up to the beginning of the array. */
  readonly head: string;
  /** The rows of the array. */
  readonly pieces: Pieces;
  /** JSON from the end of the array. Called when all pieces were read. */
  readonly tail: () => string;
}

/**
 * Answers with JSON whose one array is read in pieces. An answer of one piece has a Content-Length. When a later piece cannot be
 * read, this rejects and the caller cuts the connection.
 */
export async function sendPieces(
  ctx: Context,
  delivery: Delivery,
  { head, pieces, tail }: PiecesAnswer,
): Promise<void> {
  ctx.respond = false;
  // No `close` would come to free what is made below.
  if (ctx.res.destroyed) return;
  ctx.status = 200;
  ctx.type = "json";
  const reply = delivery.openReply(ctx.res);
  const send = async (before: string) => {
    const text = `${before}${await pieces.read()}`;
    if (pieces.more) return reply.write(text);
    reply.end(`${text}${tail()}`);
    return false;
  };
  let goesOn = await send(head);
  while (goesOn) goesOn = await send(",");
}

/** Rows are JSON already, so they are joined without being parsed. */
function joined(rows: readonly string[]): string {
  return safeJson(rows.join(","));
}

function charactersOf(rows: readonly string[]): number {
  return rows.reduce((sum, { length }) => sum + length, 0);
}
