/**
 * The signature of a thinking block: made when a block is sent, checked when it comes back.
 * Called by script.ts and blocks.ts; pure. It covers the model and every character, so that thinking that was
 * changed, or that another model did, is refused. It stands in for a signature and keeps no secret.
 */

/** The 32 bits of FNV-1a, to which text can be added piece by piece. */
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

export function hashOf(text: string, seed = FNV_OFFSET): number {
  let value = seed;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), FNV_PRIME);
  return value >>> 0;
}

/** The signature of thinking that arrives in `pieces`; the same for any way to cut it. */
export function signatureOf(model: string, pieces: Iterable<string>): string {
  let value = hashOf(`${model}\n`);
  for (const piece of pieces) value = hashOf(piece, value);
  return Buffer.from(`simulated ${value}`).toString("base64");
}
