/**
 * Keeps a past within a size by thinning it: what is left reaches as far back as before, with larger steps. Used for the
 * snapshots of processes, by the primary and by each worker. Pure.
 */

export interface Dated {
  /** In ms, by one clock for all entries. */
  readonly at: number;
  readonly characters: number;
}

interface Bounds {
  readonly entries: number;
  readonly characters: number;
}

/** Steps near now are kept smaller than those of older entries: a gap counts less the older it is. */
const EVEN_MS = 30_000;

/**
 * @param entries oldest first. The first and the last are always kept, because they say how far the past reaches.
 * @returns as many of them as the bounds allow, two at least
 */
export function thin<T extends Dated>(entries: readonly T[], bounds: Bounds): readonly T[] {
  let characters = entries.reduce((sum, entry) => sum + entry.characters, 0);
  if (entries.length <= bounds.entries && characters <= bounds.characters) return entries;
  const kept = [...entries];
  while (kept.length > 2 && (kept.length > bounds.entries || characters > bounds.characters)) {
    const [dropped] = kept.splice(leastMissed(kept), 1);
    characters -= dropped?.characters ?? 0;
  }
  return kept;
}

/** The index of the entry whose absence leaves the smallest gap for its age. */
function leastMissed(entries: readonly Dated[]): number {
  const now = entries.at(-1)?.at ?? 0;
  let [least, at] = [Infinity, 1];
  for (let index = 1; index < entries.length - 1; index += 1) {
    const [before, entry, after] = [entries[index - 1], entries[index], entries[index + 1]];
    if (!before || !entry || !after) continue;
    const gap = (after.at - before.at) / (EVEN_MS + now - entry.at);
    if (gap < least) [least, at] = [gap, index];
  }
  return at;
}
