/** Finds variables that look like a misspelt setting, which would otherwise be ignored without a word. Pure. */

/** A name with more differences is another word. Short names are alike by chance. */
const MAX_EDITS = 2;
const SHORT_CHARACTERS = 7;

/** Names that people know from elsewhere, and what they mean here. */
const ALIASES: Readonly<Record<string, string>> = {
  API_KEY: "API_KEYS",
  ANTHROPIC_KEY: "ANTHROPIC_API_KEY",
  ANTHROPIC_AUTH_TOKEN: "ANTHROPIC_API_KEY",
  ANTHROPIC_URL: "ANTHROPIC_BASE_URL",
  WEB_CONCURRENCY: "WORKERS",
  LOGLEVEL: "LOG_LEVEL",
  NODE_PORT: "PORT",
};

/**
 * @param names of variables that are no setting
 * @returns a sentence for each that looks like one; it never contains a value
 */
export function nearMisses(names: readonly string[], settings: ReadonlySet<string>): string[] {
  return names.flatMap((name) => {
    const meant = ALIASES[name] ?? [...settings].find((setting) => isNear(name, setting));
    return meant === undefined || !settings.has(meant)
      ? []
      : [`${name} is no setting and has no effect. Did you mean ${meant}?`];
  });
}

function isNear(name: string, setting: string): boolean {
  const allowed = setting.length < SHORT_CHARACTERS ? 1 : MAX_EDITS;
  if (Math.abs(name.length - setting.length) > allowed) return false;
  // Variables of one family differ by little: SERVICE_A_PORT and SERVICE_B_PORT are no typing errors of each other.
  return edits(name.toUpperCase(), setting) <= allowed;
}

/** How many insertions, deletions, replacements and swaps of neighbours turn one word into the other. */
function edits(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let row = 1; row <= from.length; row += 1) {
    const next = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const isSame = from[row - 1] === to[column - 1];
      const isSwap = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      next[column] = Math.min(
        (last[column] ?? 0) + 1,
        (next[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (isSame ? 0 : 1),
        isSwap ? (beforeLast[column - 2] ?? 0) + 1 : Infinity,
      );
    }
    beforeLast = last;
    last = next;
  }
  return last[to.length] ?? 0;
}
