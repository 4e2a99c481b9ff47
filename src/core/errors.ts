/**
 * The one error type and the one table of codes. HTTP answers, journal events and logs all use these codes. Callers
 * branch on `code`, never on `instanceof`, because errors cross processes.
 */

/** code → the HTTP status it answers with and its short, constant title (RFC 9457 `title`). */
const ERROR_TABLE = {
  // Mistakes in what the client sent.
  INVALID_REQUEST: { status: 400, title: "Invalid request" },
  INVALID_JSON: { status: 400, title: "Body is not JSON" },
  UNAUTHORIZED: { status: 401, title: "API key needed" },
  PROTECTED_MODE: { status: 403, title: "Only loopback clients are served" },
  FOREIGN_HOST: { status: 403, title: "Host not allowed" },
  FOREIGN_ORIGIN: { status: 403, title: "Origin not allowed" },
  FORBIDDEN: { status: 403, title: "Role not allowed" },
  NOT_FOUND: { status: 404, title: "Not found" },
  AGENT_NOT_FOUND: { status: 404, title: "No such agent" },
  RUN_NOT_FOUND: { status: 404, title: "No such run" },
  FILE_NOT_FOUND: { status: 404, title: "No such file" },
  THREAD_NOT_FOUND: { status: 404, title: "No such thread" },
  METHOD_NOT_ALLOWED: { status: 405, title: "Method not allowed" },
  REQUEST_TIMEOUT: { status: 408, title: "Request came too slowly" },
  RUN_ID_TAKEN: { status: 409, title: "Run id is taken" },
  RUN_CANCELED: { status: 409, title: "Run was canceled" },
  THREAD_BUSY: { status: 409, title: "Thread is busy" },
  NOT_RETRYABLE: { status: 409, title: "Nothing to retry" },
  CONTEXT_TOO_LARGE: { status: 413, title: "Message too large for the model" },
  BODY_TOO_LARGE: { status: 413, title: "Body too large" },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: "Unsupported media type" },
  IDEMPOTENCY_MISMATCH: { status: 422, title: "Idempotency-Key was used for another request" },
  UPGRADE_REQUIRED: { status: 426, title: "WebSocket needed" },
  TOO_MANY_REQUESTS: { status: 429, title: "Too many at once" },
  HEADERS_TOO_LARGE: { status: 431, title: "Headers too large" },
  // Troubles of the server.
  OVERLOADED: { status: 503, title: "Server is overloaded" },
  SHUTTING_DOWN: { status: 503, title: "Server is draining" },
  IDENTITY_UNAVAILABLE: { status: 503, title: "Identity provider unavailable" },
  STORAGE_UNAVAILABLE: { status: 503, title: "Storage unavailable" },
  FILES_FULL: { status: 507, title: "Space for files is used up" },
  STORAGE_FULL: { status: 507, title: "Storage full" },
  INTERNAL: { status: 500, title: "Internal error" },
  // Reasons why a run failed.
  MODEL_UNAVAILABLE: { status: 502, title: "Model unavailable" },
  MODEL_REJECTED: { status: 502, title: "Model refused the request" },
  REPLY_MISFIT: { status: 502, title: "Reply does not fit response_format" },
  MODEL_REFUSED: { status: 422, title: "Model refused to answer" },
  MODEL_UNAUTHORIZED: { status: 502, title: "Model refused the API key" },
  MODEL_NOT_FOUND: { status: 502, title: "No such model" },
  // Limits that the operator set and this request met: they must not look like a broken server.
  STEP_LIMIT: { status: 422, title: "Step limit reached" },
  BUDGET_EXCEEDED: { status: 429, title: "Budget used up" },
  /** The failure of a job: a job is a tool call by itself. */
  TOOL_FAILED: { status: 422, title: "Tool failed" },
  /** Not a limit of the run itself: no process had time for it. */
  QUEUE_TIMEOUT: { status: 503, title: "Run waited too long" },
  RUN_TIMEOUT: { status: 504, title: "Run timed out" },
  POISONED: { status: 500, title: "Run crashed its process too often" },
  /** A write of an owner whose lease has another owner now. Never shown to a client. */
  LEASE_LOST: { status: 500, title: "Lease lost" },
} as const;

export type ErrorCode = keyof typeof ERROR_TABLE;

export const ERROR_CODES = Object.keys(ERROR_TABLE) as ErrorCode[];

/** The part of an error that is safe to store, to log and to show: no stack, no cause. */
export type { ErrorInfo } from "../api/problem.ts";

export interface AppErrorOptions {
  readonly cause?: unknown;
  /** Seconds until it makes sense to try again; becomes `Retry-After`. */
  readonly retryAfterS?: number;
  /** The run that this error belongs to, if any. */
  readonly runId?: string;
}

export class AppError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterS: number | undefined;
  readonly runId: string | undefined;

  /** @param detail what failed, on which id, and what to send or do instead */
  constructor(code: ErrorCode, detail: string, { cause, retryAfterS, runId }: AppErrorOptions = {}) {
    super(detail, { cause });
    this.name = "AppError";
    this.code = code;
    this.retryAfterS = retryAfterS;
    this.runId = runId;
  }

  get status(): number {
    return statusOf(this.code);
  }
}

export function statusOf(code: ErrorCode): number {
  return ERROR_TABLE[code].status;
}

export function titleOf(code: ErrorCode): string {
  return ERROR_TABLE[code].title;
}

export function hasCode(error: unknown, code: ErrorCode): boolean {
  return typeof error === "object" && error !== null && "code" in error && error.code === code;
}

/** Turns any thrown value into an AppError. An unexpected error becomes INTERNAL and keeps its cause for the log. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError("INTERNAL", "Something failed inside evenkeel; the log has the reason.", { cause: error });
}

/** For operators: clients must not read what a database or a file system says about itself. */
export function withCause({ message, cause }: Error): string {
  return cause instanceof Error && !message.includes(cause.message) ? `${message} (${cause.message})` : message;
}
