/**
 * A /sim line cut into its words: `a=1 b input={"x": "}"}`. JSON behind "=" may hold blanks, braces and quotes.
 * Called by directives.ts; pure. Reads each character once or twice, whatever the line holds.
 */

export interface LineWord {
  readonly key: string;
  readonly value: string;
  /** The line as it was written. */
  readonly source: string;
}

export function* splitWords(line: string): Generator<LineWord, void, void> {
  let rest = line.trim();
  while (rest !== "") {
    const json = /^[a-z_]{1,20}\s*=\s*(?=[{["])/.exec(rest);
    const end = json ? jsonEnd(rest, json[0].length) : rest.search(/\s|$/);
    const source = rest.slice(0, end);
    const equals = source.indexOf("=");
    yield equals < 0
      ? { key: source, value: "", source }
      : { key: source.slice(0, equals).trim(), value: source.slice(equals + 1).trim(), source };
    rest = rest.slice(end).trimStart();
  }
}

/** The index after the bracket or quote that closes the one at `start`; the end of the line when nothing closes it. */
function jsonEnd(line: string, start: number): number {
  let depth = 0;
  let quoted = false;
  for (let at = start; at < line.length; at++) {
    const character = line.charAt(at);
    if (quoted && character === "\\") at++;
    else if (character === '"') quoted = !quoted;
    else if (!quoted && (character === "{" || character === "[")) depth++;
    else if (!quoted && (character === "}" || character === "]")) depth--;
    if (!quoted && depth === 0) return at + 1;
  }
  return line.length;
}
