/**
 * The API key that a person typed in, and whether the server wants one. It is kept in localStorage, because
 * the page has no session of its own to put it in: the server knows only bearer keys, and a cookie would be
 * sent by the browser for every page that links here. Nothing but our own scripts can read it (see the CSP in
 * src/worker/routes/dashboard.ts).
 */
import { signal } from "@preact/signals";

const ITEM = "evenkeel.key";

/** True when the server answered 401: the page shows the key form. */
export const locked = signal(false);

export function secret(): string | null {
  // A browser that blocks storage throws here; without a key the page still works where none is needed.
  try {
    return localStorage.getItem(ITEM);
  } catch {
    return null;
  }
}

/** @returns false when the browser would not keep it */
export function keepSecret(value: string | null): boolean {
  try {
    if (value === null) localStorage.removeItem(ITEM);
    else localStorage.setItem(ITEM, value);
    return true;
  } catch {
    return false;
  }
}
