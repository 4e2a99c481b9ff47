/** How the work on a run ended. Made by the loop, settled by `work.ts`. Pure. */
import type { Agent } from "../core/agent.ts";
import { AppError, hasCode, toAppError } from "../core/errors.ts";
import type { Message } from "../core/message.ts";
import { finishReasonOf, type Outcome, type Usage } from "../core/run.ts";
import { Interrupted } from "./abort-reason.ts";
import type { Attempts } from "./attempts.ts";
import type { Limit } from "./history/notes.ts";

export interface Ending {
  /** Undefined: the run goes on in another process, so this process must not end it. */
  readonly outcome: Outcome | undefined;
  /** The messages that the last step adds to the thread. */
  readonly messages: readonly Message[];
  readonly usage: Usage;
  readonly steps?: number;
  /** The failure, for the log. */
  readonly error?: unknown;
}

/** The work broke off: the text until then stays in the thread, marked as cut. */
export function brokenOff(
  error: unknown,
  { said }: Pick<Attempts, "said">,
  spent: { usage: Usage; model: string },
): Ending {
  const { usage, model } = spent;
  const outcome = outcomeOf(error);
  const isKept = outcome && said.length > 0;
  const messages: Message[] = isKept ? [{ role: "assistant", content: said, model, cut: finishReasonOf(outcome) }] : [];
  return { outcome, messages, usage, error };
}

function outcomeOf(error: unknown): Outcome | undefined {
  if (error instanceof Interrupted) return error.why === "canceled" ? { status: "canceled" } : undefined;
  if (hasCode(error, "LEASE_LOST")) return undefined;
  const { code, message } = toAppError(error);
  return { status: "failed", error: { code, detail: message } };
}

/** The limit is met, and the model's last word is empty. */
export function speechless({ agentId }: Pick<Agent, "agentId">, limit: Limit): AppError {
  const [code, name] =
    limit === "step_limit" ? (["STEP_LIMIT", "maxSteps"] as const) : (["RUN_TIMEOUT", "timeoutMs"] as const);
  return new AppError(code, `The run met limits.${name} of agent ${agentId}, and its model had no last word.`);
}
