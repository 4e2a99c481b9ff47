/** Signing in and out, and who this browser is to the server. */
import { signal } from "@preact/signals";
import type { Session } from "../../api/session.ts";
import { problemOf, type Problem } from "../live/api-error.ts";
import { getJson, sendJson } from "../live/api.ts";
import { locked, noteSignIn, onOtherTab } from "../live/key.ts";
import { reconnect } from "../live/live.ts";
import { loadAgents } from "./agents.ts";
import { loadInfo } from "./info.ts";

/** Null until the server has said. */
export const session = signal<Session | null>(null);

/** Never throws: the page works without it. */
export async function loadSession(): Promise<void> {
  session.value = await getJson<Session>("/api/session").catch(() => session.value);
}

/** The key becomes a cookie. @returns what is wrong, or nothing */
export async function signIn(key: string): Promise<string> {
  try {
    await sendJson("POST", "/api/session", { key });
  } catch (error) {
    return wordsFor(problemOf(error));
  }
  // Only a request that carries the cookie shows that the browser has kept it.
  const refused = await loadAgents();
  if (refused?.code === "UNAUTHORIZED")
    return "This browser does not let the page keep a cookie. Allow site data for it.";
  if (refused) return refused.detail;
  noteSignIn(true);
  begin();
  return "";
}

/** Opens the page, or shows the key form, as another tab of this browser signs in or out. */
export function followOtherTabs(): void {
  onOtherTab(() => {
    session.value = null;
    void loadAgents().then((refused) => (refused ? reconnect() : begin()));
  });
}

/** The cookie is there and the server takes it. */
function begin(): void {
  reconnect();
  locked.value = false;
  void loadInfo();
  void loadSession();
}

/** Answered with 401, loadAgents brings the key form; a server that needs no key any more goes on without. */
export async function signOut(): Promise<void> {
  // Unreachable: the cookie is still there, and so is the session.
  await sendJson("DELETE", "/api/session").catch(() => undefined);
  noteSignIn(false);
  session.value = null;
  reconnect();
  await loadAgents();
}

function wordsFor({ code, detail }: Problem): string {
  return code === "UNAUTHORIZED" ? "The server does not know this key." : detail;
}
