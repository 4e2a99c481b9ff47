/**
 * The prompt cache: which beginnings of a prompt were sent before, so that `usage` says what the API would say.
 * Owned by one server, asked by messages.ts once a request. It keeps hashes and no prompts.
 */
import { createHash } from "node:crypto";
import { censusOf, isRecord, type JsonObject } from "./json.ts";

/**
 * Number of prompt beginnings that are remembered. At the bound the one that was read longest ago is forgotten, and
 * has to be written again.
 */
const MAX_ENTRIES = 50_000;

/** Lifetimes in the API's reference. */
const TTL_MS = { "5m": 5 * 60_000, "1h": 60 * 60_000 } as const;
const LOOK_BACK_BLOCKS = 20;
const MIN_TOKENS = 1_024;

export interface InputUsage {
  /** Tokens that are neither read from the cache nor written to it. */
  readonly inputTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWriteTokens: number;
}

/** The prompt up to the end of one block. */
interface Prefix {
  readonly key: string;
  readonly tokens: number;
  /** How long the beginning is kept, if the block is marked. */
  readonly ttlMs: number | undefined;
}

export class PromptCache {
  /** The time until which each beginning is kept; the one read longest ago comes first. */
  readonly #expiries = new Map<string, number>();
  readonly #now: () => number;

  /** `now` is a monotonic clock in ms. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** @param tokens of the whole prompt */
  count(body: JsonObject, tokens: number): InputUsage {
    const prefixes = hasMarks(body) ? prefixesOf(body) : [];
    const marks = prefixes.flatMap(({ ttlMs }, index) => (ttlMs === undefined ? [] : [index]));
    const last = prefixes[marks.at(-1) ?? -1];
    if (!last || last.tokens < MIN_TOKENS) return { inputTokens: tokens, cacheReadTokens: 0, cacheWriteTokens: 0 };
    const read = this.#longestKnown(prefixes, marks);
    for (const mark of marks) this.#keep(prefixes[mark] as Prefix);
    return {
      inputTokens: Math.max(0, tokens - last.tokens),
      cacheReadTokens: read,
      cacheWriteTokens: last.tokens - read,
    };
  }

  /** Tokens of the longest beginning that was written before, at a mark or at one of the blocks before it. */
  #longestKnown(prefixes: readonly Prefix[], marks: readonly number[]): number {
    for (const mark of marks.toReversed()) {
      for (let at = mark; at >= Math.max(0, mark - LOOK_BACK_BLOCKS); at--) {
        const prefix = prefixes[at];
        if (prefix && this.#isKept(prefix.key)) return prefix.tokens;
      }
    }
    return 0;
  }

  #isKept(key: string): boolean {
    return (this.#expiries.get(key) ?? 0) > this.#now();
  }

  #keep({ key, tokens, ttlMs = 0 }: Prefix): void {
    if (tokens < MIN_TOKENS) return;
    // Delete the entry first, so that it is inserted at the end.
    this.#expiries.delete(key);
    this.#expiries.set(key, this.#now() + ttlMs);
    for (const oldest of this.#expiries.keys()) {
      if (this.#expiries.size <= MAX_ENTRIES) return;
      this.#expiries.delete(oldest);
    }
  }
}

/** Most requests have no mark; they are not hashed. */
function hasMarks({ system, tools, messages, cache_control: automatic }: JsonObject): boolean {
  if (isRecord(automatic)) return true;
  return [system, tools, ...contentsOf(messages)].some((blocks) => Array.isArray(blocks) && blocks.some(isMarked));
}

const isMarked = (block: unknown): boolean => isRecord(block) && isRecord(block["cache_control"]);

const contentsOf = (messages: unknown): unknown[] =>
  Array.isArray(messages) ? messages.map((message) => (isRecord(message) ? message["content"] : undefined)) : [];

/** The blocks in the order in which the API reads them: tools, system, messages. */
function prefixesOf(body: JsonObject): Prefix[] {
  const hash = createHash("sha1").update(String(body["model"]));
  let tokens = 0;
  const blocks = blocksOf(body);
  return blocks.map((block, index) => {
    const { cache_control: own, ...content } = isRecord(block) ? block : { text: block };
    const mark = own ?? (index === blocks.length - 1 ? body["cache_control"] : undefined);
    tokens += censusOf(content).tokens;
    hash.update(JSON.stringify(content));
    const ttlMs = isRecord(mark) ? TTL_MS[mark["ttl"] === "1h" ? "1h" : "5m"] : undefined;
    return { key: hash.copy().digest("base64"), tokens: Math.ceil(tokens), ttlMs };
  });
}

function blocksOf({ tools, system, messages }: JsonObject): unknown[] {
  return [tools, system, ...contentsOf(messages)].flatMap((part) => (part === undefined ? [] : part));
}
