/** A job is a run of one tool, without a model. job-id.ts tells it from other runs. */
import { z } from "zod";

/** The time limit of a job that states none: one hour. */
export const JOB_MS = 3_600_000;

export const TOOL_NAME = /^[a-zA-Z0-9_-]{1,128}$/;

const MESSAGE = z.object({ input: z.record(z.string(), z.unknown()) });

/** The message of a job's run: the input of its tool. */
export function jobMessage(input: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ input });
}

export function jobInput(message: string): Readonly<Record<string, unknown>> {
  return MESSAGE.parse(JSON.parse(message)).input;
}
