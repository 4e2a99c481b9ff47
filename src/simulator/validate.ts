/**
 * The simulated model's check of a request, without a server. Tests call it to verify that other code sends what the
 * API accepts. Pure.
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
