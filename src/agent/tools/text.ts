/**
 * Turns anything that a tool returns or throws into text. The text is bounded while it is made: a result of 50 MB costs
 * no more than one of 256 KiB. Used where the tool runs, so that only the text leaves a thread or process.
 */
import { isUtf8 } from "node:buffer";
import { isBytes, isPlain, shownAs } from "./shown.ts";

/** The part of a result that the model and the journal get; the rest is cut off, and marked. */
export const MAX_RESULT_CHARACTERS = 256 * 1024;

/** Deeper values are shown as `…`: the walk is recursive, and its stack is finite. */
const MAX_DEPTH = 100;

// Kept from before any tool was loaded: a tool may replace globals.
const { stringify } = JSON;

/**
 * The text of a tool's result: a string stays as it is, bytes of text are decoded, and any other value becomes JSON.
 */
export function asText(value: unknown): string {
  if (typeof value === "string") return cut(value, value.length);
  if (isBytes(value)) return textOfBytes(value);
  if (value instanceof Error) return reasonOf(value);
  const json = new JsonText();
  json.add(value);
  return cut(json.text, json.isFull ? undefined : json.text.length);
}

/**
 * Why a tool failed, for the model to read. Never throws, whatever the tool threw: null, a Proxy, a `toString` that
 * throws.
 */
export function reasonOf(thrown: unknown, causes: Causes = "where needed"): string {
  try {
    if (typeof thrown === "string") return thrown === "" ? "An empty string was thrown." : asText(thrown);
    if (typeof thrown !== "object" || thrown === null) return asText(`${String(thrown)} was thrown.`);
    const messages = messagesOf(thrown, causes);
    if (messages.length > 0) return asText(messages.join(": "));
    if (!(thrown instanceof Error)) return `${asText(thrown)} was thrown.`;
    return `${thrown.name} was thrown, without a message.`;
  } catch {
    return "Something was thrown that cannot be shown.";
  }
}

/** An error of a network has about three in a row. */
const MAX_MESSAGES = 5;

/**
 * Which causes of an error are told. Where needed: only those of a message that says nothing. Any other message may have been
 * written to hide its cause, and what the model reads clients can read as well. A log gets all.
 */
export type Causes = "where needed" | "all";
/** The cause names the address. */
const SAYS_NOTHING = new Set(["", "fetch failed", "terminated"]);

/** The message of an error, and those of its causes. The first error in an AggregateError is its cause. */
function messagesOf(thrown: object, causes: Causes): string[] {
  const messages: string[] = [];
  let error: unknown = thrown;
  for (let depth = 0; depth < MAX_MESSAGES && typeof error === "object" && error !== null; depth += 1) {
    const { message, cause, errors } = error as Partial<Record<string, unknown>>;
    if (typeof message === "string" && message !== "" && message !== messages.at(-1)) messages.push(message);
    if (causes !== "all" && typeof message === "string" && !SAYS_NOTHING.has(message)) break;
    error = cause ?? (Array.isArray(errors) ? (errors[0] as unknown) : undefined);
  }
  return messages;
}

/**
 * Not every client handles lone surrogates in JSON, so they are replaced (U+FFFD).
 * @param length of the whole text; undefined when `text` is the beginning of a text of unknown length
 */
export function cut(text: string, length: number | undefined, room = MAX_RESULT_CHARACTERS): string {
  if (length !== undefined && length <= room) return text.toWellFormed();
  const more = length === undefined ? "more" : `${length - room} more characters`;
  return `${text.slice(0, room).toWellFormed()}\n[cut: ${more}]`;
}

function textOfBytes(given: ArrayBufferView | ArrayBufferLike): string {
  const { byteLength } = given;
  const bytes = ArrayBuffer.isView(given)
    ? Buffer.from(given.buffer as ArrayBuffer, given.byteOffset, byteLength)
    : Buffer.from(given as ArrayBuffer);
  // A character has at most 4 bytes. The cut may go through a character, which decoding shows as U+FFFD behind the
  // limit.
  const head = bytes.subarray(0, 4 * MAX_RESULT_CHARACTERS);
  const isText = byteLength > head.length ? isUtf8(head.subarray(0, lastStart(head))) : isUtf8(head);
  if (!isText) return `[${byteLength} bytes that are not text: return text, or a description of the data]`;
  const text = head.toString("utf8");
  return byteLength > head.length ? cut(text, undefined) : cut(text, text.length);
}

/** The index where the last, perhaps incomplete, UTF-8 character begins. */
function lastStart(bytes: Buffer): number {
  let start = bytes.length - 1;
  while (start > 0 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start -= 1;
  return start;
}

/** Writes a value like `JSON.stringify`, but stops when the text is full, and shows values that JSON refuses. */
class JsonText {
  text = "";
  // The objects that are being written: an object that is already in this set is a cycle.
  readonly #open = new Set<object>();

  get isFull(): boolean {
    return this.text.length > MAX_RESULT_CHARACTERS;
  }

  /** Adds nothing for a value that JSON leaves out (undefined, functions, symbols). */
  add(given: unknown): void {
    const value = plain(given);
    if (typeof value === "string") this.text += quote(value);
    else if (typeof value === "bigint") this.text += quote(String(value));
    else if (typeof value === "number" || typeof value === "boolean" || value === null) this.text += stringify(value);
    else if (typeof value === "object") this.#addObject(value);
  }

  #addObject(value: object): void {
    const isOdd = !isPlain(value);
    if (isOdd && isBytes(value)) return void (this.text += quote(textOfBytes(value)));
    if (isOdd && value instanceof Error) return void (this.text += quote(reasonOf(value)));
    if (this.#open.has(value)) return void (this.text += '"[circular]"');
    if (this.#open.size >= MAX_DEPTH) return void (this.text += '"…"');
    this.#open.add(value);
    const shown = isOdd ? shownAs(value, MAX_RESULT_CHARACTERS) : value;
    if (Array.isArray(shown)) this.#addArray(shown);
    else this.#addFields(shown as Readonly<Record<string, unknown>>);
    this.#open.delete(value);
  }

  #addArray(items: readonly unknown[]): void {
    this.text += "[";
    for (let index = 0; index < items.length && !this.isFull; index += 1) {
      if (index > 0) this.text += ",";
      const before = this.text.length;
      this.add(items[index]);
      if (this.text.length === before) this.text += "null";
    }
    this.text += "]";
  }

  #addFields(fields: Readonly<Record<string, unknown>>): void {
    this.text += "{";
    let separator = "";
    for (const name of Object.keys(fields)) {
      if (this.isFull) break;
      const value = plain(fields[name]);
      if (value === undefined || typeof value === "function" || typeof value === "symbol") continue;
      this.text += `${separator}${quote(name)}:`;
      this.add(value);
      separator = ",";
    }
    this.text += "}";
  }
}

/** The result of `toJSON`, if the value has one. Not for bytes, whose `toJSON` would make an array of numbers. */
function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  const { toJSON } = value as { toJSON?: unknown };
  return typeof toJSON === "function" ? (toJSON as () => unknown).call(value) : value;
}

function quote(text: string): string {
  return stringify(text.length > MAX_RESULT_CHARACTERS ? text.slice(0, MAX_RESULT_CHARACTERS + 1) : text);
}
