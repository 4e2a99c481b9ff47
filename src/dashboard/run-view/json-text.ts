/** JSON indented for reading. Only white space changes: parsing and writing it again would round large numbers. */
const MAX_CHARACTERS = 512 * 1024;
/** Deeper nesting is left as it came: each level indents every line below it. */
const MAX_DEPTH = 60;

/** @returns the text as it is when it is no JSON object or array */
export function indentJson(text: string): string {
  if (!/^\s*[[{]/.test(text) || text.length > MAX_CHARACTERS || !isJson(text)) return text;
  const out: string[] = [];
  let depth = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[{]\s*[\]}]|[[\]{},:]|[^\s[\]{},:"]+/g)) {
    if (token === "]" || token === "}") depth -= 1;
    if (token === "]" || token === "}") out.push(lineBreak(depth));
    out.push(token.length > 1 && /^[[{]\s*[\]}]$/.test(token) ? token.replace(/\s+/, "") : token);
    if (token === "[" || token === "{") depth += 1;
    if (depth > MAX_DEPTH) return text;
    if (token === "[" || token === "{" || token === ",") out.push(lineBreak(depth));
    if (token === ":") out.push(" ");
  }
  return out.join("");
}

function lineBreak(depth: number): string {
  return `\n${"  ".repeat(depth)}`;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
