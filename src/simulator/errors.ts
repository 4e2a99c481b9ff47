/**
 * The errors of the Messages API: its types, their HTTP statuses, the body and the one exception that carries them.
 * Thrown by parsing and validation, turned into a response in routes.ts only.
 * Never import the server's own error table: this process stands in for somebody else's API.
 */

/** Type → status, as listed in the API's reference. */
const STATUS_OF = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
} as const;

export type ErrorType = keyof typeof STATUS_OF;

export const errorTypes = Object.keys(STATUS_OF) as readonly ErrorType[];

export const statusOf = (type: ErrorType): number => STATUS_OF[type];

/** The error type that the API sends with `status`, undefined for a status it does not use. */
export const typeOfStatus = (status: number): ErrorType | undefined =>
  errorTypes.find((type) => STATUS_OF[type] === status);

interface RefusalOptions {
  /** The HTTP status, when it is not the type's own. */
  readonly status?: number;
  readonly retryAfterSeconds?: number | undefined;
}

/** A request that is answered with an error. `retryAfterSeconds` becomes the Retry-After header. */
export class Refusal extends Error {
  readonly code = "REFUSAL";
  readonly type: ErrorType;
  readonly status: number;
  readonly retryAfterSeconds: number | undefined;

  constructor(type: ErrorType, message: string, options: RefusalOptions = {}) {
    super(message);
    this.type = type;
    this.status = options.status ?? statusOf(type);
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

export const invalid = (message: string): Refusal => new Refusal("invalid_request_error", message);

export const isRefusal = (error: unknown): error is Refusal =>
  error instanceof Error && "code" in error && error.code === "REFUSAL";

/** The JSON object of an error, the same in an HTTP body and in an SSE `error` event. */
export const errorBody = (type: ErrorType, message: string, requestId: string): object => ({
  type: "error",
  error: { type, message },
  request_id: requestId,
});
