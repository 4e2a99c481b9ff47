/**
 * Text on its way to Postgres and back. A Postgres text cannot hold U+0000, but replies of models and messages of
 * people may. So U+0000 is stored as U+001A and a mark, and U+001A itself is doubled. JSON never holds either of them
 * unescaped, so columns of JSON are stored as they are.
 */
const ESCAPE = "\u001A";
const NUL = "\0";
/** The mark that follows the escape for U+0000. */
const NUL_MARK = "0";

/** A parameter as Postgres takes it; a list is encoded element by element. */
export function encode(value: unknown): unknown {
  if (typeof value === "string") return encodeText(value);
  return Array.isArray(value) && typeof value[0] !== "number" ? value.map(encode) : value;
}

export function encodeText(text: string): string {
  if (!text.includes(NUL) && !text.includes(ESCAPE)) return text;
  return text.replaceAll(ESCAPE, ESCAPE + ESCAPE).replaceAll(NUL, ESCAPE + NUL_MARK);
}

export function decodeText(text: string): string {
  if (!text.includes(ESCAPE)) return text;
  const [first = "", ...others] = text.split(ESCAPE);
  let decoded = first;
  for (let index = 0; index < others.length; index += 1) {
    const part = others[index] ?? "";
    // An empty part comes from a doubled escape; the text that follows is plain text.
    if (part === "" && index < others.length - 1) decoded += ESCAPE + (others[(index += 1)] ?? "");
    else decoded += NUL + part.slice(NUL_MARK.length);
  }
  return decoded;
}
