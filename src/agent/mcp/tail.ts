/**
 * The end of what a program wrote, for people: bounded, well-formed, and without the secrets that the program was
 * given.
 */
import { StringDecoder } from "node:string_decoder";

const MAX_CHARACTERS = 4_096;
/** Shorter values are not hidden, because they may be ordinary words. */
const MIN_SECRET_CHARACTERS = 8;

/** All but tab and newline: colours and cursor movements of a terminal. */
// oxlint-disable-next-line no-control-regex
const CONTROL = /\u001b\[[\d;?]*[a-zA-Z]|[\u0000-\u0008\u000b-\u001f\u007f]/g;

export class Tail {
  readonly #decoder = new StringDecoder("utf8");
  #text = "";

  add(chunk: Buffer): void {
    // Only the end of a huge chunk matters. A UTF-8 character has at most 4 bytes.
    const end = chunk.subarray(-4 * MAX_CHARACTERS);
    this.#text = (this.#text + this.#decoder.write(end)).slice(-MAX_CHARACTERS);
  }

  get text(): string {
    return this.#text.replaceAll(CONTROL, "").toWellFormed();
  }
}

/** Makes a function that replaces each of `secrets` in a text by its name. */
export function hiderOf(secrets: Readonly<Record<string, string>>): (text: string) => string {
  const known = Object.entries(secrets).filter(([, value]) => value.length >= MIN_SECRET_CHARACTERS);
  return (text) => known.reduce((hidden, [name, value]) => hidden.replaceAll(value, `[${name}]`), text);
}
