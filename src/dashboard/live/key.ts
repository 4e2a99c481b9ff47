/**
 * The API key that a person typed in, and whether the server wants one. It is kept in localStorage, because
 * the page has no session of its own to put it in: the server knows only bearer keys, and a cookie would be
 * sent by the browser for every page that links here. Nothing but our own scripts can read it (see the CSP in
 * src/worker/routes/dashboard.ts).
 */
import { signal } from "@preact/signals";

const ITEM = "evenkeel.key";
/** What a header can carry. [With anything else fetch() throws, and a key that was kept would lock the page for good.] */
const USABLE = /^[\x21-\x7e]+$/;

/** True when the server answered 401: the page shows the key form. */
export const locked = signal(false);

export function secret(): string | null {
  // A browser that blocks storage throws here; without a key the page still works where none is needed.
  try {
    const kept = localStorage.getItem(ITEM);
    return kept !== null && isUsable(kept) ? kept : null;
  } catch {
    return null;
  }
}

/** Whether there is one to forget. */
export const hasSecret = signal(secret() !== null);

export function isUsable(value: string): boolean {
  return USABLE.test(value);
}

/** @returns false when the browser would not keep it */
export function keepSecret(value: string | null): boolean {
  try {
    if (value === null) localStorage.removeItem(ITEM);
    else localStorage.setItem(ITEM, value);
    hasSecret.value = value !== null;
    return true;
  } catch {
    return false;
  }
}
