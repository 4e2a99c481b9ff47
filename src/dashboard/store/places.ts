/**
 * The content of a page at an entry of the browser's history, and its scroll position, so that "back" returns to the
 * place. Kept in memory for the newest entries; an older one begins at its top.
 */
import { route } from "../router.ts";

const MAX_PLACES = 12;

interface Place {
  scrollY: number;
  model: unknown;
}

/** Oldest first. Bound: MAX_PLACES. */
const places = new Map<string, Place>();

// Switched off, because the browser would scroll before our rows exist.
history.scrollRestoration = "manual";
addEventListener("scroll", () => (placeOf(route.peek().entry).scrollY = scrollY), { passive: true });

/** The model that was made at this entry before, or a new one. One page makes one model. */
export function recall<T>(make: () => T): T {
  const place = placeOf(route.peek().entry);
  place.model ??= make();
  return place.model as T;
}

let arrivedAt = 0;
// Read it on arrival, because the browser may scroll by itself until the page is drawn.
route.subscribe(({ entry }) => (arrivedAt = places.get(entry)?.scrollY ?? 0));

/** Where the page of the current entry was left; 0 for one that was not seen before. */
export function leftAt(): number {
  return arrivedAt;
}

function placeOf(entry: string): Place {
  const place = places.get(entry) ?? { scrollY: 0, model: undefined };
  places.delete(entry);
  places.set(entry, place);
  const [oldest] = places.keys();
  if (places.size > MAX_PLACES && oldest !== undefined) places.delete(oldest);
  return place;
}
