/**
 * Reloads the tab when the code of a page could not be fetched: a worker died in that moment, or the server was updated
 * and has other files. The browser itself never asks again for a file that it failed to fetch. What a person has typed
 * outlives a reload (`pages/chat/unsent.ts`).
 */
import { useEffect } from "preact/hooks";
import { getJson } from "../live/api.ts";
import { connection } from "../live/live.ts";

/** The connection of a dead worker is noticed within this time. */
const SETTLE_MS = 1_000;
/** A file that is missing for good must not make the tab reload without end. */
const NOT_AGAIN_MS = 60_000;
const ITEM = "evenkeel.reloaded";

export function useReloadOnce(): void {
  const isLive = connection.value.state === "live";
  useEffect(() => {
    if (!isLive) return undefined;
    const timer = setTimeout(() => void reloadOnce(), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [isLive]);
}

async function reloadOnce(): Promise<void> {
  try {
    if (Date.now() - Number(sessionStorage.getItem(ITEM)) < NOT_AGAIN_MS) return;
    // Without a server the browser would show its own error page.
    await getJson("/health");
    sessionStorage.setItem(ITEM, String(Date.now()));
  } catch {
    // No server, or no storage to remember the reload: the page keeps its button.
    return;
  }
  location.reload();
}
