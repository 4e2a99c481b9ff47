/**
 * Keeps what is asked once of a server (its agents, its info) true to the server that is there: asks while any of
 * it is missing, while the connection is lost, and once more when it is back. So, too, the page finds out that a
 * key is needed now: a socket does not say why it was refused, and these answer 401.
 */
import { useEffect, useRef } from "preact/hooks";
import { agents, loadAgents } from "../store/agents.ts";
import { info, loadInfo } from "../store/info.ts";
import { isSignedIn } from "../live/key.ts";
import { connection } from "../live/live.ts";
import { loadSession, session } from "../store/session.ts";

/** Longer than a request is waited for. */
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
