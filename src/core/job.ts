/** A job is a run of one tool, without a model. It is told from other runs by its agent id, which no agent can have. */
import { z } from "zod";

const PREFIX = "tool:";

/** A job that says nothing else may take an hour. */
export const JOB_MS = 3_600_000;

export const TOOL_NAME = /^[a-zA-Z0-9_-]{1,128}$/;

export function jobAgentId(tool: string): string {
  return `${PREFIX}${tool}`;
}

/** Undefined for a run of an agent. */
export function jobToolOf(agentId: string): string | undefined {
  return agentId.startsWith(PREFIX) ? agentId.slice(PREFIX.length) : undefined;
}

const MESSAGE = z.object({ input: z.record(z.string(), z.unknown()) });

/** The message of a job's run: what its tool gets. */
export function jobMessage(input: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ input });
}

export function jobInput(message: string): Readonly<Record<string, unknown>> {
  return MESSAGE.parse(JSON.parse(message)).input;
}
