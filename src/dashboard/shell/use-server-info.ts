/**
 * Keeps data that is requested once (agents, info) up to date with the present server: requests it while any of it is
 * missing, while the connection is lost, and once more when the connection is back. These requests also show the page
 * that a key is needed now: they answer 401, while a socket does not say why it was refused.
 */
import { useEffect, useRef } from "preact/hooks";
import { agents, loadAgents } from "../store/agents.ts";
import { info, loadInfo } from "../store/info.ts";
import { isSignedIn } from "../live/key.ts";
import { connection } from "../live/live.ts";
import { loadSession, session } from "../store/session.ts";

/** Longer than the time limit of a request. */
const ASK_AGAIN_MS = 5_000;

export function useServerInfo(): void {
  const isDoubtful = connection.value.state === "lost" || agents.value === null || info.value === null;
  const wasDoubtful = useRef(false);
  useEffect(() => {
    if (!isDoubtful && !wasDoubtful.current) return undefined;
    wasDoubtful.current = isDoubtful;
    ask();
    if (!isDoubtful) return undefined;
    const timer = setInterval(ask, ASK_AGAIN_MS);
    return () => clearInterval(timer);
  }, [isDoubtful]);
}

function ask(): void {
  void loadAgents();
  void loadInfo();
  if (isSignedIn.value && session.value === null) void loadSession();
}
