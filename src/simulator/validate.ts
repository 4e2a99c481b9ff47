/**
 * What the API would refuse, as a question without a server: the same check that the simulated model makes.
 * Called by tests that hold other code to it; pure.
 */
import { isRefusal } from "./errors.ts";
import { DEFAULT_CONTEXT_TOKENS, parseRequest } from "./request.ts";

export interface Window {
  /** The model's window, counted as characters / 3.5. */
  readonly contextTokens?: number;
}

/**
 * @param body of POST /v1/messages, parsed
 * @returns the sentence of the 400, or undefined when the request would be answered
 */
export function refusalOf(body: unknown, { contextTokens = DEFAULT_CONTEXT_TOKENS }: Window = {}): string | undefined {
  try {
    parseRequest(body, { maxTokens: true, contextTokens });
    return undefined;
  } catch (error) {
    if (isRefusal(error)) return error.message;
    throw error;
  }
}
