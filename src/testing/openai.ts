/** The published `openai` client on a cluster. */
import OpenAI, { type APIError } from "openai";
import type { Cluster } from "./cluster.ts";

export function clientOf({ port }: Cluster, apiKey = "none", maxRetries = 0): OpenAI {
  return new OpenAI({ apiKey, baseURL: `http://127.0.0.1:${port}/v1`, maxRetries });
}

/** The error with which the client tells that its request failed. */
export function refusalOf(request: PromiseLike<unknown>): Promise<APIError> {
  return Promise.resolve(request).then(
    () => {
      throw new Error("It was not refused.");
    },
    (error: unknown) => error as APIError,
  );
}
