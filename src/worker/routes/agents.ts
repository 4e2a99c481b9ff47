/** Lists the agents of `config/agents.ts`. */
import { LIST_AGENTS, type AgentInfo } from "../../api/agents.ts";
import type { Agent } from "../../core/agent.ts";
import type { AppRouter, RouteDeps } from "../context.ts";
import { answer, serve } from "../serve.ts";

export function agentRoutes(router: AppRouter, { agents }: RouteDeps): void {
  // The configuration does not change while this process lives.
  const body = { agents: [...agents.values()].map(show) };
  serve(router, LIST_AGENTS, () => answer(200, body));
}

/** Everything except the system prompt, which belongs to the operator. */
function show({ agentId, model, description, tools, mcp, delegates, maxTokens, limits, price }: Agent): AgentInfo {
  return {
    agent_id: agentId,
    model,
    description,
    tools,
    mcp,
    delegates,
    limits: { max_tokens: maxTokens, max_steps: limits.maxSteps, timeout_ms: limits.timeoutMs },
    ...(price && { price }),
  };
}
