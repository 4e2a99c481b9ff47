/**
 * The /sim line: how a message orders the simulator to answer slowly, badly or with exactly so many tokens.
 * Called by messages.ts with the words behind "/sim"; pure. A word it does not know is refused by name, because
 * a misspelt fault that is ignored makes a test pass for the wrong reason.
 */
import { invalid } from "./errors.ts";
import { type DirectedCall, type Draft, type Fault, WORDS } from "./words.ts";

/** Undefined means "as without a /sim line". */
export interface Directives {
  readonly tokens: number | undefined;
  readonly thinking: number;
  /** Tokens a second, 0 as fast as the socket takes them. */
  readonly rate: number | undefined;
  readonly ttftMs: number | undefined;
  readonly calls: readonly DirectedCall[];
  readonly loop: boolean;
  readonly drip: boolean;
  readonly fault: Fault | undefined;
  /** How often the fault strikes the same request; undefined for every time. */
  readonly times: number | undefined;
}

const USAGE = Object.values(WORDS)
  .map((word) => word.usage)
  .join(", ");

/** @throws Refusal (400) that names the bad word and lists the allowed ones. */
export function parseDirectives(line: string): Directives {
  const draft = emptyDraft();
  for (const { key, value, source } of splitWords(line)) {
    const word = Object.hasOwn(WORDS, key) ? WORDS[key] : undefined;
    if (!word?.read(draft, value)) throw badWord(source);
  }
  return finish(draft);
}

const emptyDraft = (): Draft => ({
  tokens: undefined,
  thinking: 0,
  rate: undefined,
  ttftMs: undefined,
  calls: [],
  loop: false,
  drip: false,
  faults: [],
  times: undefined,
  retryAfterSeconds: undefined,
});

function finish({ faults, retryAfterSeconds, ...directives }: Draft): Directives {
  const [fault] = faults;
  if (faults.length > 1)
    throw invalid(`/sim takes one fault at a time, got ${faults.map((f) => f.kind).join(" and ")}`);
  if (directives.times !== undefined && !fault) throw invalid("/sim times=N says how often a fault strikes: name one");
  if (retryAfterSeconds !== undefined && fault?.kind !== "status") throw invalid("/sim retry_after= goes with status=");
  return { ...directives, fault: fault?.kind === "status" ? { ...fault, retryAfterSeconds } : fault };
}

const badWord = (word: string): Error => invalid(`/sim does not know "${word.slice(0, 200)}". Allowed words: ${USAGE}`);

/** "a=1 b input={"x": "}"}" → key and value of each word; the JSON of `input` may hold blanks and braces. */
function* splitWords(line: string): Generator<{ key: string; value: string; source: string }> {
  let rest = line.trim();
  while (rest !== "") {
    const json = /^input\s*=\s*(?=\{)/.exec(rest);
    const end = json ? balancedEnd(rest, json[0].length) : rest.search(/\s|$/);
    const source = rest.slice(0, end);
    const equals = source.indexOf("=");
    yield equals < 0
      ? { key: source, value: "", source }
      : { key: source.slice(0, equals).trim(), value: source.slice(equals + 1), source };
    rest = rest.slice(end).trimStart();
  }
}

/** The index behind the brace that closes the one at `start`; the end of the line when none does. */
function balancedEnd(line: string, start: number): number {
  let depth = 0;
  let quoted = false;
  for (let at = start; at < line.length; at++) {
    const character = line[at];
    if (quoted && character === "\\") at++;
    else if (character === '"') quoted = !quoted;
    else if (!quoted && character === "{") depth++;
    else if (!quoted && character === "}" && --depth === 0) return at + 1;
  }
  return line.length;
}
