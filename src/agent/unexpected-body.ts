/** Describes a body that is not the API's: what a proxy, a login page or a wrong address sends. Pure. */

const MAX_EXCERPT_CHARACTERS = 200;

/** "a web page (“It works!”)". */
export function describeBody(text: string): string {
  const start = text.trimStart();
  if (start === "") return "nothing";
  const excerpt = excerptOf(start.startsWith("<") ? wordsOf(start) : start);
  return `${kindOf(start)}${excerpt === "" ? "" : ` (“${excerpt}”)`}`;
}

export type BodyKind = "a web page" | "JSON" | "text";

export function kindOf(text: string): BodyKind {
  const first = text.trimStart().charAt(0);
  if (first === "<") return "a web page";
  return first === "{" || first === "[" ? "JSON" : "text";
}

/**
 * The text between the tags. Read character by character, because a hostile page could slow down a regular expression.
 */
function wordsOf(html: string): string {
  let words = "";
  let isTag = false;
  for (const character of html.slice(0, 10 * MAX_EXCERPT_CHARACTERS)) {
    if (character === "<") isTag = true;
    if (!isTag) words += character;
    if (character === ">") {
      isTag = false;
      words += " ";
    }
  }
  return words;
}

function excerptOf(text: string): string {
  const line = text
    .slice(0, 10 * MAX_EXCERPT_CHARACTERS)
    .replaceAll(/\s+/g, " ")
    .trim();
  return line.length > MAX_EXCERPT_CHARACTERS ? `${line.slice(0, MAX_EXCERPT_CHARACTERS)}…`.toWellFormed() : line;
}
