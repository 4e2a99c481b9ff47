/** Whether a model refused a request because it is too long, in the words of several endpoints. Pure. */
import { hasCode } from "../../core/errors.ts";

export interface TooLong {
  readonly tokens: number;
  readonly maximum: number;
}

const WORDS = /prompt is too long|context (?:length|window|size)|too many (?:input )?tokens|maximum.*tokens/i;
/** "212,000 tokens > 200,000 maximum"; "maximum context length is 8192 tokens. However, you requested 9000 tokens". */
const SIZES = [
  { pattern: /(?<![\d,])([\d,]+) tokens? > ([\d,]+)/, tokens: 1, maximum: 2 },
  { pattern: /maximum[^\d]*([\d,]+)[^\d]+([\d,]+)/i, tokens: 2, maximum: 1 },
] as const;

/** @param estimated the length by our own count, used when the endpoint gives no figures */
export function tooLongIn(error: unknown, estimated: number): TooLong | undefined {
  const message = error instanceof Error ? error.message : "";
  if (!hasCode(error, "MODEL_REJECTED") || !WORDS.test(message)) return undefined;
  for (const { pattern, tokens, maximum } of SIZES) {
    const found = pattern.exec(message);
    if (found) return { tokens: count(found[tokens]), maximum: count(found[maximum]) };
  }
  return { tokens: estimated, maximum: Math.floor(0.7 * estimated) };
}

function count(digits: string | undefined): number {
  return Number((digits ?? "").replaceAll(",", ""));
}
