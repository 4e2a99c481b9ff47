/** What a failed call of the model means, and whether trying again makes sense. Pure. */
import type { ErrorCode } from "../core/errors.ts";
import { APIConnectionError, APIError, APIUserAbortError } from "./sdk.ts";

export interface ModelFailure {
  readonly code: ErrorCode;
  /** For people: what happened and, if possible, what to do. */
  readonly reason: string;
  readonly retryable: boolean;
  /** The model had begun to answer, so the attempt is paid for. */
  readonly answered?: boolean;
  /** How long the server asked us to wait (Retry-After). */
  readonly retryAfterMs?: number;
  /**
   * The model wants fewer requests from us: status 429, or the same error inside a stream. (529 means: from everybody.)
   */
  readonly rateLimited?: boolean;
}

/** The stream broke: silence, an early end, or tool arguments that are not JSON. */
export class BrokenAnswer extends Error {
  /** False when the answer had not begun. */
  readonly answered: boolean;

  constructor(message: string, answered = true) {
    super(message);
    this.name = "BrokenAnswer";
    this.answered = answered;
  }
}

/** The endpoint is not the Messages API: it sent a redirect, a web page or plain JSON. Asking again would not help. */
export class WrongEndpoint extends Error {
  constructor(message: string) {
    super(message);
    this.name = "WrongEndpoint";
  }
}

// Error types of the Messages API that come inside a stream, after status 200.
const TRANSIENT_TYPES = new Set(["overloaded_error", "api_error", "rate_limit_error", "timeout_error"]);

/** Undefined when the model did not cause the error (our own abort, a bug): rethrow it then. */
export function modelFailure(error: unknown): ModelFailure | undefined {
  if (error instanceof APIUserAbortError) return undefined;
  const wrong = error instanceof APIConnectionError ? error.cause : error;
  if (wrong instanceof WrongEndpoint) return wrongEndpoint(wrong);
  if (error instanceof BrokenAnswer) return { ...unavailable(error.message), answered: error.answered };
  if (error instanceof APIConnectionError) return unavailable(`no connection: ${rootMessage(error)}`);
  if (error instanceof APIError) return error.status === undefined ? ofStream(error) : ofStatus(error, error.status);
  // An event that is not JSON.
  if (error instanceof SyntaxError)
    return { ...unavailable(`the answer broke off: ${rootMessage(error)}`), answered: true };
  return undefined;
}

function ofStream(error: APIError): ModelFailure {
  const type = typeOf(error);
  if (type === undefined || TRANSIENT_TYPES.has(type))
    return {
      ...unavailable(`the model answered ${type ?? error.message}`),
      rateLimited: type === "rate_limit_error",
    };
  return refused(error, `the model answered ${type}: ${messageOf(error)}`);
}

function ofStatus(error: APIError, status: number): ModelFailure {
  const reason = `the model answered ${status}: ${messageOf(error)}`;
  const transient = status >= 500 || status === 429 || status === 408 || status === 409;
  if (!transient) return refused(error, reason);
  const retryAfterMs = retryAfterOf(error);
  const rateLimited = status === 429;
  return { ...unavailable(reason), rateLimited, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

/**
 * A wrong key, an account without credit or an unknown model is no fault of the message. Such a failure has a code of
 * its own, because a message that the model rejected is never sent again (`engine/rules/unsent.ts`).
 */
function refused(error: APIError, reason: string): ModelFailure {
  const type = typeOf(error);
  const { status } = error;
  const what = reason.replace(/\.$/, "");
  const because = (code: ErrorCode, advice: string) => ({ code, reason: `${what}; ${advice}`, retryable: false });
  if (status === 401 || type === "authentication_error")
    return because("MODEL_UNAUTHORIZED", "check ANTHROPIC_API_KEY");
  if (status === 402 || type === "billing_error" || NO_CREDIT.test(messageOf(error)))
    return because("MODEL_UNAUTHORIZED", "add credit to the account of ANTHROPIC_API_KEY, then send the message again");
  if (status === 403 || type === "permission_error")
    return because("MODEL_UNAUTHORIZED", "check ANTHROPIC_API_KEY, and whether it may use the agent's `model`");
  if (status === 404 || type === "not_found_error")
    return because("MODEL_NOT_FOUND", "check the agent's `model` in config/agents.ts, and ANTHROPIC_BASE_URL");
  return { code: "MODEL_REJECTED", reason, retryable: false };
}

/** The Messages API says so with status 400 and the type of a wrong request. */
const NO_CREDIT = /credit balance is too low/i;

function wrongEndpoint({ message }: WrongEndpoint): ModelFailure {
  return {
    code: "MODEL_REJECTED",
    reason: `the model's endpoint is not the Messages API: ${message}; check ANTHROPIC_BASE_URL`,
    retryable: false,
  };
}

function unavailable(reason: string): ModelFailure {
  return { code: "MODEL_UNAVAILABLE", reason, retryable: true };
}

/** Some servers send 0 with every refusal, and a date may have passed by our clock: our own backoff is kinder then. */
const MIN_RETRY_AFTER_MS = 1_000;

/** Retry-After (RFC 9110 § 10.2.3): seconds, or a date. Undefined when it is no time to wait for. */
function retryAfterOf({ headers }: APIError): number | undefined {
  const value = headers?.get("retry-after");
  if (!value) return undefined;
  const ms = /^[\d.]+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) && ms >= MIN_RETRY_AFTER_MS ? ms : undefined;
}

interface ErrorBody {
  readonly error?: { readonly type?: string; readonly message?: string };
}

function typeOf({ error }: APIError): string | undefined {
  return bodyOf(error)?.error?.type;
}

function messageOf(error: APIError): string {
  return bodyOf(error.error)?.error?.message ?? error.message;
}

function bodyOf(body: unknown): ErrorBody | undefined {
  return typeof body === "object" && body !== null ? body : undefined;
}

function rootMessage(error: Error): string {
  return error.cause instanceof Error ? rootMessage(error.cause) : error.message;
}
