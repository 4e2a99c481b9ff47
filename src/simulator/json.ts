/**
 * Looking into parsed JSON of unknown shape, and the estimate of what it costs in tokens.
 * Called by request.ts and input.ts. Never recurses into input: a 32 MB body can nest deeper than the stack.
 */

export type JsonObject = Readonly<Record<string, unknown>>;

export const isRecord = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Four characters a token over every string inside `root`: plausible, and the same number for the same content. */
export function estimateTokens(root: unknown): number {
  let characters = 0;
  const pending = [root];
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value === "string") characters += value.length;
    else if (typeof value === "object" && value !== null) for (const item of Object.values(value)) pending.push(item);
  }
  return Math.max(1, Math.ceil(characters / 4));
}
