/**
 * Reads parsed JSON of unknown shape, and counts what a request costs in tokens. Called by request.ts, its helpers and
 * input.ts. Never recurses into input: a 32 MB body can nest deeper than the stack.
 */

export type JsonObject = Readonly<Record<string, unknown>>;

export const isRecord = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The result of a walk over all strings of a value. */
export interface Census {
  /** Tokens, not rounded, so that the parts add up. */
  readonly tokens: number;
  /** False when a string holds half a surrogate pair, which no UTF-8 text can. */
  readonly isWellFormed: boolean;
}

const CHARACTERS_A_TOKEN = 3.5;

/** The base64 of a picture or document: its cost does not follow from its number of characters. */
const MEDIA_TOKENS = 1_600;

/** Field names are only checked for well-formed text; values are also counted as tokens. */
export function censusOf(root: unknown): Census {
  let characters = 0;
  let mediaTokens = 0;
  let isWellFormed = true;
  const pending = [root];
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value === "string") {
      characters += value.length;
      isWellFormed &&= value.isWellFormed();
    } else if (isMediaData(value)) {
      mediaTokens += MEDIA_TOKENS;
    } else if (typeof value === "object" && value !== null) {
      if (!Array.isArray(value)) isWellFormed &&= Object.keys(value).every((name) => name.isWellFormed());
      for (const item of Object.values(value)) pending.push(item);
    }
  }
  return { tokens: characters / CHARACTERS_A_TOKEN + mediaTokens, isWellFormed };
}

const isMediaData = (value: unknown): boolean => isRecord(value) && value["type"] === "base64";

/** Undefined when the text is not valid JSON. */
export function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
