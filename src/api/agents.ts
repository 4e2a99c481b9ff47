/** The agents that a client can talk to. */
import { z } from "zod";
import { json, route } from "./route.ts";

const PRICE = z
  .object({ input: z.number(), output: z.number(), cache_read: z.number(), cache_write: z.number() })
  .describe("US dollars per million tokens.");

/** Everything except the system prompt, which belongs to the operator. */
const AGENT = z
  .object({
    agent_id: z.string(),
    model: z.string(),
    description: z.string(),
    tools: z.array(z.string()).readonly(),
    mcp: z.array(z.string()).readonly().describe("The MCP servers whose tools the agent has."),
    delegates: z.array(z.string()).readonly().describe("The agents that this agent may delegate work to."),
    limits: z.object({ max_tokens: z.int(), max_steps: z.int(), timeout_ms: z.int() }),
    price: PRICE.exactOptional(),
  })
  .meta({ id: "Agent" });

export type AgentInfo = Readonly<z.output<typeof AGENT>>;

export const LIST_AGENTS = route({
  method: "GET",
  path: "/api/agents",
  access: "viewer",
  summary: "List the agents of config/agents.ts",
  query: z.strictObject({}),
  answers: { 200: json(z.object({ agents: z.array(AGENT) }).meta({ id: "AgentList" }), "All agents.") },
});
