/**
 * Keeps data that is requested once (agents, info) up to date with the present server: requests it while any of it is
 * missing, while the connection is lost, and once more when the connection is back or a reload is done. These requests
 * also show the page that a key is needed now: they answer 401, while a socket does not say why it was refused.
 */
import { computed } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { agents, loadAgents } from "../store/agents.ts";
import { info, loadInfo } from "../store/info.ts";
import { isSignedIn } from "../live/key.ts";
import { connection } from "../live/live.ts";
import { latest } from "../store/processes.ts";
import { loadSession, session } from "../store/session.ts";

/** Longer than the time limit of a request. */
const ASK_AGAIN_MS = 5_000;

/** The processes of a reload have read their config anew. */
const reloadedAt = computed(() => latest.value?.marks.findLast(({ type }) => type === "reload")?.at);

export function useServerInfo(): void {
  const isDoubtful = connection.value.state === "lost" || agents.value === null || info.value === null;
  useEffect(() => {
    ask();
    // Once more also after a reload: the connection at hand may be that of a process that was replaced.
    const timer = (isDoubtful ? setInterval : setTimeout)(ask, ASK_AGAIN_MS);
    return () => clearInterval(timer);
  }, [isDoubtful, reloadedAt.value]);
}

function ask(): void {
  void loadAgents();
  void loadInfo();
  if (isSignedIn.value && session.value === null) void loadSession();
}
