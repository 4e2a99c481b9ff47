/**
 * Markdown to tokens, by marked's lexer (GFM), with bounds that a hostile message cannot pass: nesting, size of
 * a paragraph, size of the whole, and time. Beyond a bound text stays text. `LiveLexer` does it for a message that grows.
 */
import { Lexer, Tokenizer, type Token } from "marked";

/** [Without it 3,000 nested quotes overflow marked's stack.] Deeper blocks are shown as text. */
const MAX_BLOCK_DEPTH = 24;
const MAX_INLINE_DEPTH = 24;
/** [Emphasis is quadratic: 39,000 characters of nested `*` and `**` took 5 s, 1,000 markers take some 10 ms.] */
const MAX_MARKERS = 1_000;
const MAX_INLINE_CHARACTERS = 50_000;
/** [At each character of a word before "@" marked reads to the "@": 48,000 of them took 2 s.] RFC 5321 has 64. */
const MAX_ADDRESS_CHARACTERS = 300;
const ADDRESS_CHARACTER = /[\w.!#$%&'*+/=?^`{|}~-]/;
/** [Each row gets as many cells as the header: 23,000 characters made 10 million, 1.7 GB.] Of all tables at once. */
const MAX_CELLS = 20_000;
/** [marked cuts a URL shorter sign by sign, and reads it anew each time: 20,000 of "?" took 0.3 s.] */
const LONG_URL = /^\S{2001}/;
/**
 * Bounds of one message: time, blocks, and pieces of a line. The rest of the message stays text. [marked reads all that
 * follows at each line of a list item and at each "!": 20,000 characters took 1.4 s and 0.8 s.]
 */
const MAX_MS = 400;
const MAX_TOKENS = 20_000;
/** A longer list becomes several. [marked reads an item anew at each of its lines: 500,000 characters took 47 s.] */
const MAX_LIST_CHARACTERS = 32_000;
/** A longer message is shown as plain text. */
const MAX_CHARACTERS = 512 * 1024;

/** A plain text token for text that is not lexed. */
export function plain(text: string): Token {
  return { type: "text", raw: text, text };
}

export function lex(text: string): Token[] {
  if (text.length > MAX_CHARACTERS) return [plain(text)];
  return lexTail(withNewlines(text), noLinks());
}

function withNewlines(text: string): string {
  return text.includes("\r") ? text.replaceAll(/\r\n?/g, "\n") : text;
}

type Links = Lexer["tokens"]["links"];

/** An object without a prototype: the reference "[constructor]" must find nothing in it. */
function noLinks(): Links {
  return Object.create(null) as Links;
}

/** @param links reference definitions known so far; those found are added */
function lexTail(text: string, links: Links): Token[] {
  const budget = new Budget();
  const lexer = new Lexer({ gfm: true, tokenizer: boundedTokenizer(budget) });
  lexer.tokens.links = links;
  try {
    lexer.blockTokens(text, lexer.tokens);
  } catch {
    // The time is over, or a bound was hit: the message must still be shown.
    addRest(lexer.tokens, text);
  }
  for (const { src, tokens } of lexer.inlineQueue) {
    if (!budget.isSpent && !isTooCostly(src) && lexInline(lexer, { src, tokens })) continue;
    tokens.length = 0;
    tokens.push(plain(src));
  }
  return lexer.tokens;
}

/** What follows the tokens stays text. */
function addRest(tokens: Token[], text: string): void {
  const raw = tokens.map((token) => token.raw).join("");
  const isExact = text.startsWith(raw);
  if (!isExact) tokens.length = 0;
  const rest = isExact ? text.slice(raw.length) : text;
  if (rest !== "") tokens.push(plain(rest));
}

/** @returns whether it was done in time */
function lexInline(lexer: Lexer, { src, tokens }: Lexer["inlineQueue"][number]): boolean {
  try {
    lexer.inlineTokens(src, tokens);
    return true;
  } catch {
    return false;
  }
}

function isTooCostly(text: string): boolean {
  if (text.length > MAX_INLINE_CHARACTERS || hasLongAddress(text)) return true;
  if (text.length <= MAX_MARKERS) return false;
  let markers = 0;
  for (const character of text) if (character === "*" || character === "_" || character === "~") markers += 1;
  return markers > MAX_MARKERS;
}

function hasLongAddress(text: string): boolean {
  if (!text.includes("@")) return false;
  let before = 0;
  for (const character of text) {
    if (character === "@" && before > MAX_ADDRESS_CHARACTERS) return true;
    before = ADDRESS_CHARACTER.test(character) ? before + 1 : 0;
  }
  return false;
}

/** The cost that one message may have. */
class Budget {
  readonly #until = performance.now() + MAX_MS;
  #left = MAX_TOKENS;

  get isSpent(): boolean {
    return this.#left <= 0 || performance.now() > this.#until;
  }

  /** @throws when the budget is spent */
  take(): void {
    if (this.isSpent) throw new Error("The message costs too much.");
    this.#left -= 1;
  }
}

/** A tokenizer that finds no more nested tokens below the maximum depth. It throws when the budget is spent. */
function boundedTokenizer(budget: Budget): Tokenizer {
  const tokenizer = new Tokenizer();
  // marked asks these two before all others: at each block, and at each piece of text in a line.
  tokenizer.space = paid(budget, tokenizer.space.bind(tokenizer));
  tokenizer.escape = paid(budget, tokenizer.escape.bind(tokenizer));
  const url = tokenizer.url.bind(tokenizer);
  tokenizer.url = (src) => (LONG_URL.test(src) ? undefined : url(src));
  const blocks = { left: MAX_BLOCK_DEPTH };
  const inlines = { left: MAX_INLINE_DEPTH };
  tokenizer.table = boundedTable(tokenizer);
  tokenizer.blockquote = bounded(blocks, tokenizer.blockquote.bind(tokenizer));
  const list = tokenizer.list.bind(tokenizer);
  tokenizer.list = bounded(blocks, (src) => list(beginningOf(src)));
  tokenizer.emStrong = bounded(inlines, tokenizer.emStrong.bind(tokenizer));
  tokenizer.del = bounded(inlines, tokenizer.del.bind(tokenizer));
  tokenizer.link = bounded(inlines, tokenizer.link.bind(tokenizer));
  tokenizer.reflink = bounded(inlines, tokenizer.reflink.bind(tokenizer));
  return tokenizer;
}

/** A table beyond the bound becomes a paragraph. */
function boundedTable(tokenizer: Tokenizer): Tokenizer["table"] {
  const find = tokenizer.table.bind(tokenizer);
  let left = MAX_CELLS;
  return (src) => {
    const [all = "", header = "", , rows = ""] = tokenizer.rules.block.table.exec(src) ?? [];
    const cells = header.split("|").length * rows.split("\n").length;
    // A table with more cells than characters is refused, because marked makes up the missing cells. So a growing
    // message that is lexed in pieces never gets more cells than it has characters.
    if (cells > Math.min(left, all.length)) return undefined;
    left -= cells;
    return find(src);
  };
}

function paid<A extends unknown[], R>(budget: Budget, find: (...args: A) => R): (...args: A) => R {
  return (...args) => {
    budget.take();
    return find(...args);
  };
}

/** Cut after a whole line, if there is one. */
function beginningOf(src: string): string {
  if (src.length <= MAX_LIST_CHARACTERS) return src;
  const end = src.lastIndexOf("\n", MAX_LIST_CHARACTERS);
  return src.slice(0, end > 0 ? end : MAX_LIST_CHARACTERS);
}

function bounded<A extends unknown[], R>(depth: { left: number }, find: (...args: A) => R): (...args: A) => R {
  return (...args) => {
    if (depth.left === 0) return undefined as R;
    depth.left -= 1;
    try {
      return find(...args);
    } finally {
      depth.left += 1;
    }
  };
}

/** Share of the time that lexing may take while a message grows: after t ms of lexing, 8 t ms of rest. */
const REST_FACTOR = 8;

export interface Lexed {
  /** Tokens that can no longer change are the same objects as last time. */
  readonly tokens: readonly Token[];
  /**
   * Text that came after the last lexing, while it is too early for the next, and that is not in the last paragraph.
   */
  readonly rest: string;
}

/** Bound of the paragraph: the browser would need too long for the layout of a longer one at each change. */
const MAX_GROWING_CHARACTERS = 4_000;

/**
 * Appends words that are not lexed yet to the last paragraph. If they were shown below it, they would jump up when they
 * are lexed.
 */
function goOn(tokens: Token[], rest: string): Lexed {
  const last = tokens.at(-1);
  const goesOn = last?.type === "paragraph" && last.raw.length + rest.length < MAX_GROWING_CHARACTERS;
  if (rest === "" || !goesOn) return { tokens, rest };
  // marked leaves a line break at the end out of the paragraph's text.
  const lineBreak = last.raw.endsWith("\n") ? "\n" : "";
  const grown = { ...last, raw: last.raw + rest, tokens: [...(last.tokens ?? []), plain(lineBreak + rest)] };
  return { tokens: [...tokens.slice(0, -1), grown], rest: "" };
}

/**
 * Lexes a message that grows at its end. All blocks but the last two are settled and never read again, so a
 * frame costs what its unfinished end costs; one endless list or paragraph costs rest instead of frames.
 */
export class LiveLexer {
  #text = "";
  #settled: Token[] = [];
  #settledCharacters = 0;
  #tail: Token[] = [];
  #links = noLinks();
  #restUntil = 0;

  /** @param now a monotonic clock, in ms */
  update(text: string, now: number): Lexed {
    const source = withNewlines(text);
    // The text belongs to another message.
    if (source.length < this.#text.length) this.#reset();
    if (source.length > MAX_CHARACTERS) return { tokens: [plain(source)], rest: "" };
    if (now >= this.#restUntil && source !== this.#text) this.#lex(source, now);
    return goOn([...this.#settled, ...this.#tail], source.slice(this.#text.length));
  }

  #lex(source: string, now: number): void {
    const began = performance.now();
    this.#text = source;
    this.#tail = lexTail(source.slice(this.#settledCharacters), this.#links);
    this.#settle(source);
    this.#restUntil = now + (performance.now() - began) * REST_FACTOR;
  }

  #settle(source: string): void {
    // The newest block may still grow, and the one before it may turn out to belong to it ("> q", "-", then "x").
    // [60,000 random documents cut at random: with one block open 277 came out wrong, with two none.]
    const open = this.#tail.map((token, index) => (token.type === "space" ? -1 : index)).filter((index) => index >= 0);
    const settles = this.#tail.slice(0, open.at(-2) ?? 0);
    const raw = settles.map((token) => token.raw).join("");
    // Only if marked gave back exactly what it read is it known where the rest begins.
    if (raw === "" || !source.startsWith(raw, this.#settledCharacters)) return;
    this.#settled = [...this.#settled, ...settles];
    this.#settledCharacters += raw.length;
    this.#tail = this.#tail.slice(settles.length);
  }

  #reset(): void {
    this.#text = "";
    this.#settled = [];
    this.#settledCharacters = 0;
    this.#tail = [];
    this.#links = noLinks();
    this.#restUntil = 0;
  }
}
