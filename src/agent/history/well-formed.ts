/** Text and JSON as the API takes them: without halves of surrogate pairs, and without blank text. Pure. */

/** An escape in JSON text. `JSON.stringify` writes a surrogate as an escape only when its other half is missing. */
const ESCAPES = /\\(?:u[dD][89a-fA-F][0-9a-fA-F]{2}|.)/g;
const HAS_SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;

/**
 * Matches a character that is neither white space nor a control character: Python trims more characters than
 * JavaScript does.
 */
const VISIBLE = /[^\s\p{Cc}]/u;

export function isBlank(text: string): boolean {
  return !VISIBLE.test(text);
}

/**
 * The value with U+FFFD for every lone surrogate, in keys and values at any depth. The same value comes back when there
 * is none.
 * @param value anything that JSON can represent
 */
export function wellFormed<T>(value: T): T {
  const json = toJson(value) ?? "";
  if (!HAS_SURROGATE_ESCAPE.test(json)) return value;
  const mended = json.replace(ESCAPES, (escape) => (HAS_SURROGATE_ESCAPE.test(escape) ? "\\ufffd" : escape));
  return JSON.parse(mended) as T;
}

/** Undefined for a value that JSON cannot represent, or that is nested too deep. */
export function toJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

/** The beginning of a text, never cut within a character, with a mark that says how much is missing. */
export function cutText(text: string, characters: number): string {
  if (text.length <= characters) return text;
  const isHalf = /[\ud800-\udbff]/.test(text.charAt(characters - 1));
  const kept = text.slice(0, isHalf ? characters - 1 : characters);
  return `${kept}\n[cut: ${text.length - kept.length} more characters]`;
}
