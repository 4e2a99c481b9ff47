/**
 * What JSON from a client may not hold, whatever its fields are: half a surrogate pair, which no UTF-8 text can carry on
 * to the model, and nesting that overflows the stack of whoever writes it as JSON again. Called for bodies and frames.
 */
import { invalid } from "./check.ts";
import { AppError } from "../core/errors.ts";

const MAX_DEPTH = 200;

interface Place {
  readonly value: unknown;
  readonly name: string;
  readonly depth: number;
}

/** @throws AppError INVALID_REQUEST that names the place */
export function assertPlain(body: object): void {
  // A list and no recursion: what comes may nest deeper than the stack.
  const pending: Place[] = [{ value: body, name: "", depth: 0 }];
  for (let place = pending.pop(); place; place = pending.pop()) {
    const { value, name, depth } = place;
    if (typeof value === "string") assertWellFormed(value, name);
    if (typeof value !== "object" || value === null) continue;
    if (depth > MAX_DEPTH) {
      const [field = ""] = name.split(/[.[]/, 1);
      throw new AppError("INVALID_REQUEST", `Expected \`${field}\` to be nested at most ${MAX_DEPTH} levels deep.`);
    }
    for (const [key, inner] of Object.entries(value)) {
      const at = nameOf(name, key, Array.isArray(value));
      assertWellFormed(key, at);
      if (typeof inner === "string" || typeof inner === "object")
        pending.push({ value: inner, name: at, depth: depth + 1 });
    }
  }
}

function assertWellFormed(text: string, name: string): void {
  if (!text.isWellFormed()) throw invalid(name.toWellFormed(), "text without half a surrogate pair", text);
}

function nameOf(parent: string, key: string, isList: boolean): string {
  if (isList) return `${parent}[${key}]`;
  const shown = key.slice(0, 100);
  return parent === "" ? shown : `${parent}.${shown}`;
}
