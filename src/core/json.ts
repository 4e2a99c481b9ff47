/**
 * JSON that leaves the server. U+0085, U+2028 and U+2029 are white space or ends of lines to many readers (Python's
 * `splitlines`, JavaScript before 2019), which would cut an event stream or a log line in two there: so they are
 * escaped.
 */

const LINE_ENDS = /[\u0085\u2028\u2029]/;
const ALL_LINE_ENDS = /[\u0085\u2028\u2029]/g;

export function toJson(value: object | string): string {
  return safeJson(JSON.stringify(value));
}

/** Escapes them in text that is JSON already, such as rows that are sent as they are stored. */
export function safeJson(json: string): string {
  return LINE_ENDS.test(json) ? json.replaceAll(ALL_LINE_ENDS, escaped) : json;
}

/** These characters occur only inside strings, where an escape means the same. */
function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
