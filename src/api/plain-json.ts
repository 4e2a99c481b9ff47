/**
 * Refuses JSON that no field of a client may contain: half a surrogate pair, which no UTF-8 text can carry on to the
 * model, and nesting that would overflow the stack when it is written as JSON again. Called for bodies and frames.
 */
import { invalid } from "./check.ts";
import { AppError } from "../core/errors.ts";

const MAX_DEPTH = 200;

/** An object or a list that still has to be checked. */
interface Place {
  readonly value: object;
  readonly key: string | number;
  readonly parent: Place | undefined;
  readonly depth: number;
}

/**
 * @param json the text that `body` was parsed from: most texts hold nothing suspicious, and then `body` need not be
 * walked
 * @throws AppError INVALID_REQUEST that names the place
 */
export function assertPlain(body: object, json: string): void {
  // The text itself is well-formed, so half a pair can only come as an escape.
  if (!/\\u[dD][89a-fA-F]/.test(json) && !isDeep(json)) return;
  walk(body);
}

/** [A walk over a megabyte of small values takes 100 ms; this scan takes 2 ms.] */
function isDeep(json: string): boolean {
  let depth = 0;
  let isText = false;
  for (let at = 0; at < json.length; at += 1) {
    const character = json.charCodeAt(at);
    if (character === BACKSLASH) at += 1;
    else if (character === QUOTE) isText = !isText;
    else if (isText) continue;
    else if (character === OPEN_LIST || character === OPEN_OBJECT) depth += 1;
    else if (character === CLOSE_LIST || character === CLOSE_OBJECT) depth -= 1;
    // The body itself is one more level.
    if (depth > MAX_DEPTH + 1) return true;
  }
  return false;
}

const [BACKSLASH, QUOTE, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5c, 0x22, 0x5b, 0x5d, 0x7b, 0x7d];

function walk(body: object): void {
  // A list in place of recursion, because the body may nest deeper than the stack allows.
  const pending: Place[] = [{ value: body, key: "", parent: undefined, depth: 0 }];
  for (let place = pending.pop(); place; place = pending.pop()) {
    const { value, depth } = place;
    if (depth > MAX_DEPTH) throw tooDeep(place);
    const look = (inner: unknown, key: string | number) => {
      if (typeof inner === "string") assertWellFormed(inner, place, key);
      else if (typeof inner === "object" && inner !== null)
        pending.push({ value: inner, key, parent: place, depth: depth + 1 });
    };
    if (Array.isArray(value)) value.forEach(look);
    else
      for (const [key, inner] of Object.entries(value)) {
        assertWellFormed(key, place, key);
        look(inner, key);
      }
  }
}

function assertWellFormed(text: string, place: Place, key: string | number): void {
  if (text.isWellFormed()) return;
  throw invalid(nameOf(place, key).toWellFormed(), "text without half a surrogate pair", text);
}

function tooDeep(place: Place): AppError {
  let { parent, key } = place;
  while (parent?.parent) ({ parent, key } = parent);
  return new AppError("INVALID_REQUEST", `Expected \`${key}\` to be nested at most ${MAX_DEPTH} levels deep.`);
}

/** For example `metadata.a[1].b`; made only for a refusal. */
function nameOf({ value, key: own, parent }: Place, key: string | number): string {
  const shown = String(key).slice(0, 100);
  if (!parent) return shown;
  const before = nameOf(parent, own);
  return Array.isArray(value) ? `${before}[${shown}]` : `${before}.${shown}`;
}
