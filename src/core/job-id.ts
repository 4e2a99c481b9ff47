/** A job is told from other runs by its agent id, which no agent can have. Apart from job.ts, so that a page can read it without zod. */
const PREFIX = "tool:";

export function jobAgentId(tool: string): string {
  return `${PREFIX}${tool}`;
}

/** Undefined for a run of an agent. */
export function jobToolOf(agentId: string): string | undefined {
  return agentId.startsWith(PREFIX) ? agentId.slice(PREFIX.length) : undefined;
}
