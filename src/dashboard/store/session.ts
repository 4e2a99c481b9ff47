/** Signing in and out, and who this browser is to the server. */
import { signal } from "@preact/signals";
import type { Session } from "../../api/session.ts";
import { problemOf, type Problem } from "../live/api-error.ts";
import { getJson, sendJson } from "../live/api.ts";
import { locked, noteSignIn, onOtherTab } from "../live/key.ts";
import { reconnect } from "../live/live.ts";
import { loadAgents } from "./agents.ts";
import { loadInfo } from "./info.ts";

/** Null until the server has answered. */
export const session = signal<Session | null>(null);

/** Never throws: the page works without it. */
export async function loadSession(): Promise<void> {
  session.value = await getJson<Session>("/api/session").catch(() => session.value);
}

/**
 * Exchanges the key for a cookie. @param remember false: until the browser is closed
 * @returns the problem, if there is one
 */
export async function signIn(key: string, remember: boolean): Promise<string> {
  try {
    await sendJson("POST", `/api/session?remember=${remember}`, { key });
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

/** Opens the page, or shows the key form, when another tab of this browser signs in or out. */
export function followOtherTabs(): void {
  onOtherTab(() => {
    session.value = null;
    void loadAgents().then((refused) => (refused ? reconnect() : begin()));
  });
}

/** The browser has the cookie and the server accepts it. */
function begin(): void {
  reconnect();
  locked.value = false;
  void loadInfo();
  void loadSession();
}

/**
 * After a 401, loadAgents shows the key form; if the server no longer needs a key, the page continues without one.
 * @returns the problem, if there is one: the cookie and the session still exist then
 */
export async function signOut(): Promise<string> {
  try {
    await sendJson("DELETE", "/api/session");
  } catch (error) {
    const { code, detail } = problemOf(error);
    if (code !== "UNAUTHORIZED") return detail;
  }
  noteSignIn(false);
  session.value = null;
  reconnect();
  await loadAgents();
  return "";
}

function wordsFor({ code, detail }: Problem): string {
  return code === "UNAUTHORIZED" ? "The server does not know this key." : detail;
}
