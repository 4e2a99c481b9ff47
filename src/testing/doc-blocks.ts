/**
 * The code blocks of a Markdown file, as a reader would type them. Called by the test of the documentation.
 * A line `<!-- not run: why -->` before a block excepts it, with the reason.
 */

export interface DocBlock {
  readonly language: string;
  readonly code: string;
  /** The line of its first command, from 1. */
  readonly line: number;
  /** Why the test cannot run the block; undefined: the test runs it. */
  readonly notRun: string | undefined;
}

export function blocksOf(markdown: string): DocBlock[] {
  const blocks: DocBlock[] = [];
  let open: { language: string; line: number; code: string[]; notRun: string | undefined } | undefined;
  let notRun: string | undefined;
  for (const [index, text] of markdown.split("\n").entries()) {
    if (open && text.startsWith("```")) {
      blocks.push({ ...open, code: open.code.join("\n") });
      open = undefined;
      notRun = undefined;
    } else if (open) {
      open.code.push(text);
    } else if (text.startsWith("```")) {
      open = { language: text.slice(3).trim(), line: index + 2, code: [], notRun };
    } else if (text.trim() !== "") {
      notRun = /^<!-- not run: (.+) -->$/.exec(text)?.[1];
    }
  }
  return blocks;
}
