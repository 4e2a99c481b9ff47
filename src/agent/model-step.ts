/**
 * One model call of the loop. When an endpoint refuses an optional part of the request, the call is repeated without
 * it. Called by the loop.
 */
import type { PreparedAgent } from "../core/agent.ts";
import type { Log } from "../observe/log.ts";
import type { Answer } from "./answer.ts";
import type { Attempts } from "./attempts.ts";
import type { Caching } from "./caching.ts";
import type { ModelChoice } from "./model-choice.ts";
import { callModel, type ModelAccess } from "./model.ts";
import { requestOf, type Prompt } from "./request.ts";
import type { Tools } from "./tools/invoke.ts";

export interface Asking {
  readonly agent: PreparedAgent;
  readonly tools: Tools;
  readonly model: ModelAccess;
  readonly choice: ModelChoice;
  readonly attempts: Attempts;
  readonly caching: Caching;
  readonly log: Log;
  readonly signal: AbortSignal;
}

type Question = Pick<Prompt, "messages" | "more" | "mayCallTools">;

/** @throws what `callModel` throws */
export async function ask(asking: Asking, question: Question): Promise<Answer> {
  const { tools, attempts, caching, log, choice } = asking;
  const agent = { ...asking.agent, model: choice.model };
  const call = (isCached: boolean) => {
    const params = requestOf({ agent, tools, ...question, isCached });
    const { governor, maxAttempts } = choice;
    return callModel({ ...asking.model, governor, maxAttempts, params, attempts, signal: asking.signal });
  };
  const isCached = caching.isOn(agent);
  try {
    return await call(isCached);
  } catch (error) {
    if (!isCached || !caching.isRefusal(error, agent.model, log)) throw error;
    attempts.retry({ attempt: 2, reason: "the model refuses cache_control", wait_ms: 0 });
    return call(false);
  }
}
