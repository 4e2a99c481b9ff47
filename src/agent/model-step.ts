/** One model call of the loop, with what an endpoint may refuse and can do without. Called by the loop. */
import type { PreparedAgent } from "../core/agent.ts";
import type { Log } from "../observe/log.ts";
import type { Answer } from "./answer.ts";
import type { Attempts } from "./attempts.ts";
import type { Caching } from "./caching.ts";
import { callModel, type ModelAccess } from "./model.ts";
import { requestOf, type Prompt } from "./request.ts";
import type { Tools } from "./tools/invoke.ts";

export interface Asking {
  readonly agent: PreparedAgent;
  readonly tools: Tools;
  readonly model: ModelAccess;
  readonly attempts: Attempts;
  readonly caching: Caching;
  readonly log: Log;
  readonly signal: AbortSignal;
}

type Question = Pick<Prompt, "messages" | "more" | "mayCallTools">;

/** @throws what `callModel` throws */
export async function ask(asking: Asking, question: Question): Promise<Answer> {
  const { agent, tools, attempts, caching, log } = asking;
  const call = (isCached: boolean) => {
    const params = requestOf({ agent, tools, ...question, isCached });
    return callModel({ ...asking.model, params, attempts, signal: asking.signal });
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
