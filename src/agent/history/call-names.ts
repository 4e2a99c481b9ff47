/**
 * Ids and names of tool calls as the API takes them. Some endpoints give odd ids, or the same id twice; either makes
 * the API refuse the whole request. One per rendered thread.
 */

const MAX_NAME_CHARACTERS = 128;

export class CallNames {
  // Grows with the calls of one thread, so bounded by its messages.
  readonly #taken = new Set<string>();
  readonly #next = new Map<string, number>();

  /** An id that no earlier call has: the given id, if it can be kept. The same calls always get the same ids. */
  idFor(given: unknown): string {
    const base = plain(given) || "call";
    let id = base;
    for (let n = this.#next.get(base) ?? 2; this.#taken.has(id); n += 1) {
      id = `${base}_${n}`;
      this.#next.set(base, n + 1);
    }
    this.#taken.add(id);
    return id;
  }
}

export function toolName(given: unknown): string {
  return plain(given).slice(0, MAX_NAME_CHARACTERS) || "unknown";
}

function plain(given: unknown): string {
  return typeof given === "string" ? given.replaceAll(/[^a-zA-Z0-9_-]/g, "_") : "";
}
