/**
 * A job has an agent id that no agent can have, which tells it from other runs. Not in job.ts, so that a page can read
 * this file without zod.
 */
const PREFIX = "tool:";

export function jobAgentId(tool: string): string {
  return `${PREFIX}${tool}`;
}

/** Undefined for a run of an agent. */
export function jobToolOf(agentId: string): string | undefined {
  return agentId.startsWith(PREFIX) ? agentId.slice(PREFIX.length) : undefined;
}
