/** Errors in OpenAI's shape (https://platform.openai.com/docs/guides/error-codes): its clients read `error.message` and `error.code`. */
import type { Problem } from "../api/problem.ts";

export interface OpenAiErrorFields {
  readonly message: string;
  readonly type: string;
  readonly code: string | null;
  /** The field of the request that is wrong, when one is. */
  readonly param?: string | null;
}

export function openAiError({ message, type, code, param = null }: OpenAiErrorFields): object {
  return { error: { message, type, param, code } };
}

/** Status and body of what a request to `/v1/` failed with. */
export function openAiErrorOf({ status, code, detail }: Problem): object {
  return openAiError({ message: detail, type: typeOf(status), code });
}

function typeOf(status: number): string {
  if (status === 401 || status === 403) return "authentication_error";
  if (status === 429) return "rate_limit_error";
  return status < 500 ? "invalid_request_error" : "server_error";
}
