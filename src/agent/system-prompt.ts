/**
 * The system prompt of one run: a text, or what the agent's function returns for the run. Called once per claim by
 * `work.ts`.
 */
import type { Agent, PreparedAgent } from "../core/agent.ts";
import { AppError } from "../core/errors.ts";
import type { Run } from "../core/run.ts";
import { reasonOf } from "./tools/text.ts";

/** @throws AppError when the function fails; the signal's reason when the run ends before the function does */
export async function prepareAgent(agent: Agent, run: Run, signal: AbortSignal): Promise<PreparedAgent> {
  const { system } = agent;
  if (typeof system !== "function") return { ...agent, system };
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    const { principal, metadata, thread_id: threadId } = run;
    const made: unknown = await Promise.race([system({ principal, metadata, threadId, now: new Date() }), aborted]);
    if (typeof made === "string") return { ...agent, system: made };
    throw new Error(`Expected it to return a text, got ${typeof made}.`);
  } catch (error) {
    signal.throwIfAborted();
    const detail = `The system prompt of agent ${agent.agentId} cannot be made: ${reasonOf(error)}`;
    throw new AppError("INTERNAL", detail, { cause: error });
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
