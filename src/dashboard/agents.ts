/** The agents one can talk to. The configuration is fixed while a worker lives, so it is read once. */
import { signal } from "@preact/signals";
import type { Price } from "../core/agent.ts";
import { getJson, type ApiError } from "./live/api.ts";

export interface AgentInfo {
  readonly agent_id: string;
  readonly model: string;
  readonly description: string;
  readonly tools: readonly string[];
  readonly limits: { readonly max_tokens: number; readonly max_steps: number; readonly timeout_ms: number };
  readonly price?: Price;
}

const PATIENCE_MS = 3_000;

/** Null until they came. */
export const agents = signal<readonly AgentInfo[] | null>(null);

/** Called by main.tsx at the start and after a key was typed in; it also tells whether a key is needed. Never throws. */
export async function loadAgents(): Promise<ApiError | undefined> {
  try {
    const answer = await getJson<{ agents: AgentInfo[] }>("/api/agents", AbortSignal.timeout(PATIENCE_MS));
    agents.value = answer.agents;
    return undefined;
  } catch (error) {
    return error as ApiError;
  }
}
