/**
 * Whether the server wants a key, and a mark of when this browser signed in. The key itself is exchanged for a cookie
 * that no script can read (store/session.ts); the mark tells all tabs that the connection is to be opened anew.
 */
import { signal } from "@preact/signals";

const ITEM = "evenkeel.signed-in";
/** Where older versions kept the key. */
const OLD_ITEM = "evenkeel.key";
/** What a header can carry. [With anything else fetch() throws.] */
const USABLE = /^[\x21-\x7e]+$/;

/** True when the server answered 401: the page shows the key form. */
export const locked = signal(false);

/** Whether there is a session to end. */
export const isSignedIn = signal(signInMark() !== null);

/** A new value after each sign-in; null when this browser has not signed in. */
export function signInMark(): string | null {
  // A browser that blocks storage throws here; such a browser keeps no cookie either.
  try {
    localStorage.removeItem(OLD_ITEM);
    return localStorage.getItem(ITEM);
  } catch {
    return null;
  }
}

export function noteSignIn(isIn: boolean): void {
  isSignedIn.value = isIn;
  try {
    if (isIn) localStorage.setItem(ITEM, String(Date.now()));
    else localStorage.removeItem(ITEM);
  } catch {
    // Storage is blocked. The connection notices the change by itself, some seconds later.
  }
}

/** All tabs of a browser share one cookie. @param listener called when another tab has signed in or out */
export function onOtherTab(listener: () => void): void {
  addEventListener("storage", ({ key }) => {
    if (key !== ITEM) return;
    isSignedIn.value = signInMark() !== null;
    listener();
  });
}

export function isUsable(value: string): boolean {
  return USABLE.test(value);
}
