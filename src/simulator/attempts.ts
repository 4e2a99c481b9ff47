/**
 * Counts how often a /sim fault with times=N has struck, so that a retry of the same request succeeds after N.
 * Owned by one server, asked by messages.ts. Never counts requests without times=.
 */
import { createHash } from "node:crypto";

/** Conversations remembered. At the bound the oldest is forgotten: its fault would strike again. */
const MAX_KEYS = 10_000;

export class Attempts {
  readonly #struck = new Map<string, number>();

  /** True, and counted, while the fault has struck `key` fewer than `times` times. */
  strikes(key: string, times: number): boolean {
    // The key is hashed, because it holds the user's whole message, which may be megabytes.
    const digest = createHash("sha1").update(key).digest("base64");
    const struck = this.#struck.get(digest) ?? 0;
    if (struck >= times) return false;
    this.#struck.set(digest, struck + 1);
    if (this.#struck.size > MAX_KEYS) this.#forgetOldest();
    return true;
  }

  #forgetOldest(): void {
    for (const oldest of this.#struck.keys()) {
      this.#struck.delete(oldest);
      return;
    }
  }
}
