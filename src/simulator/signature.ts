/**
 * The signature of a thinking block: made when a block is sent, checked when it comes back.
 * Called by steps.ts and blocks.ts. It covers the model and every character, so that changed thinking, or thinking of
 * another model, is refused. It is no real signature and protects no secret.
 */

/** The 32 bits of FNV-1a, to which text can be added piece by piece. */
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

export function hashOf(text: string, seed = FNV_OFFSET): number {
  let value = seed;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), FNV_PRIME);
  return value >>> 0;
}

/** The signature of thinking that is made piece by piece; the same for any way to cut it. */
export class Signer {
  #value: number;

  constructor(model: string) {
    this.#value = hashOf(`${model}\n`);
  }

  add(piece: string): void {
    this.#value = hashOf(piece, this.#value);
  }

  end(): string {
    return Buffer.from(`simulated ${this.#value}`).toString("base64");
  }
}

export function signatureOf(model: string, pieces: Iterable<string>): string {
  const signer = new Signer(model);
  for (const piece of pieces) signer.add(piece);
  return signer.end();
}
