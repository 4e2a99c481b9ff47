/**
 * A sensible input for a tool: its schema's required properties filled from the words of the message.
 * Called by calls.ts; pure. Good enough for a demo and for tools that validate; it does not aim at every schema.
 */
import { isRecord, type JsonObject } from "./json.ts";

/** `rest` is the text after the tool's name. */
export interface Words {
  readonly text: string;
  readonly rest: string;
}

interface Source extends Words {
  /** Numbers of the message not used yet: "add 2 and 3" fills `a` and `b`. */
  readonly numbers: number[];
}

/** A schema may nest without end; below this depth nothing is filled. */
const MAX_DEPTH = 4;

const MAX_STRING_CHARACTERS = 2_000;

export function inputFor(schema: JsonObject, words: Words): JsonObject {
  const numbers = (words.text.match(/-?\d+(?:\.\d+)?/g) ?? []).map(Number);
  return objectFor(schema, { ...words, numbers }, 0);
}

function objectFor(schema: JsonObject, source: Source, depth: number): JsonObject {
  const properties = isRecord(schema["properties"]) ? schema["properties"] : {};
  const required = Array.isArray(schema["required"]) ? schema["required"] : [];
  const input: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(properties)) {
    const zone = name === "timezone" ? timezoneIn(source.text) : undefined;
    if (zone !== undefined) input[name] = zone;
    else if (required.includes(name)) input[name] = valueFor({ name, schema: property, depth }, source);
  }
  return input;
}

interface Place {
  readonly name: string;
  readonly schema: unknown;
  readonly depth: number;
}

function valueFor({ name, schema, depth }: Place, source: Source): unknown {
  if (!isRecord(schema) || depth > MAX_DEPTH) return stringFor(name, {}, source);
  const options = schema["enum"] ?? schema["anyOf"] ?? schema["oneOf"];
  if ("const" in schema) return schema["const"];
  if (Array.isArray(schema["enum"])) return schema["enum"][0];
  if (Array.isArray(options)) return valueFor({ name, schema: options[0], depth: depth + 1 }, source);
  switch (typeIn(schema)) {
    case "object":
      return objectFor(schema, source, depth + 1);
    case "array":
      return [valueFor({ name, schema: schema["items"], depth: depth + 1 }, source)];
    case "boolean":
      return true;
    case "null":
      return null;
    case "integer":
      return Math.trunc(numberFor(schema, source));
    case "number":
      return numberFor(schema, source);
    default:
      return stringFor(name, schema, source);
  }
}

const typeIn = ({ type }: JsonObject): unknown => (Array.isArray(type) ? type[0] : type);

function numberFor({ minimum, maximum }: JsonObject, source: Source): number {
  const found = source.numbers.length > 1 ? source.numbers.shift() : source.numbers[0];
  const low = typeof minimum === "number" ? minimum : -Infinity;
  const high = typeof maximum === "number" ? maximum : Infinity;
  return Math.min(high, Math.max(low, found ?? 1));
}

function stringFor(name: string, { maxLength }: JsonObject, { text, rest }: Source): string {
  if (name === "timezone") return "UTC";
  const chosen = (name === "expression" ? arithmeticIn(text) : undefined) ?? (rest.trim() || text.trim());
  return chosen.slice(0, typeof maxLength === "number" ? maxLength : MAX_STRING_CHARACTERS);
}

/** "what is 2*(3+4)?" → "2*(3+4)". */
function arithmeticIn(text: string): string | undefined {
  // One character class without alternatives: no input makes it backtrack.
  for (const [run] of text.matchAll(/[-(.\d][-\d\s().+*/%^]*/g)) {
    const trimmed = run.slice(0, endOfArithmetic(run)).slice(0, MAX_STRING_CHARACTERS);
    if (/[\d)]\s*[-+*/%^]+\s*[-(.\d]/.test(trimmed)) return closeParentheses(trimmed);
  }
  return undefined;
}

/**
 * The index after the last digit or closing parenthesis. Not /[…]+$/, which starts anew at each character of a long
 * run.
 */
function endOfArithmetic(run: string): number {
  let end = run.length;
  while (end > 0 && !/[\d)]/.test(run.charAt(end - 1))) end--;
  return end;
}

/** A message like "(see 1+2)" leaves a parenthesis without its partner: drop closing ones, add missing ones. */
function closeParentheses(expression: string): string {
  let open = 0;
  let kept = "";
  for (const character of expression) {
    if (character === ")" && open === 0) continue;
    if (character === "(") open++;
    if (character === ")") open--;
    kept += character;
  }
  return kept + ")".repeat(open);
}

/** Names that are looked up as timezones. [A look-up takes 20 µs, and a message can hold a hundred thousand of them.] */
const MAX_TIMEZONES = 20;

function timezoneIn(text: string): string | undefined {
  const names = text.match(/\b(?:UTC|[A-Z]\w+(?:\/[A-Z][\w+-]+){1,2})\b/g) ?? [];
  return names.slice(0, MAX_TIMEZONES).find(isTimezone);
}

function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}
