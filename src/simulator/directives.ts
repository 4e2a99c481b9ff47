/**
 * The /sim line: how a message orders the simulator to answer slowly, badly or with exactly so many tokens.
 * Called by messages.ts with the words behind "/sim"; pure. A word it does not know is refused by name, because
 * a misspelt fault that is ignored makes a test pass for the wrong reason.
 */
import { invalid } from "./errors.ts";
import { splitWords } from "./line.ts";
import { type DirectedCall, type Draft, type Fault, type IdKind, type StopReason, WORDS } from "./words.ts";

/** Undefined means "as without a /sim line". */
export interface Directives {
  readonly tokens: number | undefined;
  /** The deltas of the text, word for word. */
  readonly text: readonly string[] | undefined;
  readonly thinking: number;
  /** False: thinking is sent without its signature. */
  readonly signed: boolean;
  /** Tokens a second, 0 as fast as the socket takes them. */
  readonly rate: number | undefined;
  readonly ttftMs: number | undefined;
  readonly calls: readonly DirectedCall[];
  /** Tools of the API that the answer uses. */
  readonly serverTools: readonly string[];
  readonly loop: boolean;
  readonly drip: boolean;
  readonly stop: StopReason | undefined;
  readonly reportsUsage: boolean;
  readonly ids: IdKind;
  readonly fault: Fault | undefined;
  /** How often the fault hits the same request, or `stop` the same message; undefined: every time. */
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
  text: undefined,
  thinking: 0,
  signed: true,
  rate: undefined,
  ttftMs: undefined,
  calls: [],
  serverTools: [],
  loop: false,
  drip: false,
  stop: undefined,
  reportsUsage: true,
  ids: "unique",
  faults: [],
  times: undefined,
  retryAfterSeconds: undefined,
  pingEveryMs: undefined,
});

function finish({ faults, retryAfterSeconds, pingEveryMs, ...directives }: Draft): Directives {
  const [fault] = faults;
  if (faults.length > 1)
    throw invalid(`/sim takes one fault at a time, got ${faults.map((f) => f.kind).join(" and ")}`);
  if (directives.times !== undefined && !fault && !directives.stop)
    throw invalid("/sim times=N says how often a fault strikes: name one");
  if (retryAfterSeconds !== undefined && fault?.kind !== "status") throw invalid("/sim retry_after= goes with status=");
  if (pingEveryMs !== undefined && fault?.kind !== "silent") throw invalid("/sim pings goes with silent=");
  return { ...directives, fault: complete(fault, { retryAfterSeconds, pingEveryMs }) };
}

function complete(
  fault: Fault | undefined,
  { retryAfterSeconds, pingEveryMs }: Pick<Draft, "retryAfterSeconds" | "pingEveryMs">,
): Fault | undefined {
  if (fault?.kind === "status") return { ...fault, retryAfterSeconds };
  return fault?.kind === "silent" ? { ...fault, pingEveryMs } : fault;
}

const badWord = (word: string): Error => invalid(`/sim does not know "${word.slice(0, 200)}". Allowed words: ${USAGE}`);
