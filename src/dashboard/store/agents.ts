/**
 * The agents of the server. They change with a reload; shell/use-server-info.ts requests them again after it, and after
 * a reconnect.
 */
import { signal } from "@preact/signals";
import type { AgentInfo } from "../../api/agents.ts";
import { problemOf, type Problem } from "../live/api-error.ts";
import { getJson, type GetOptions } from "../live/api.ts";

export type { AgentInfo };

const PATIENCE_MS = 3_000;

/** Null until the agents have arrived. */
export const agents = signal<readonly AgentInfo[] | null>(null);

/** The request also shows whether a key is needed. Never throws. */
export async function loadAgents(): Promise<Problem | undefined> {
  const options: GetOptions = { signal: AbortSignal.timeout(PATIENCE_MS) };
  try {
    const answer = await getJson<{ agents: AgentInfo[] }>("/api/agents", options);
    agents.value = answer.agents;
    return undefined;
  } catch (error) {
    return problemOf(error);
  }
}
