/** What failed, over HTTP and over the socket alike. Branch on `code`, the table of core/errors.ts. */

/** The only shape of a failure on the page: in messages of the server, as the end of a run, and in ApiError. */
export interface Problem {
  readonly code: string;
  readonly detail: string;
}

export interface ApiErrorFields extends Problem {
  /** The HTTP status; 0 when no HTTP answer came: the network failed, or the refusal came over the socket. */
  readonly status: number;
}

export class ApiError extends Error implements Problem {
  readonly code: string;
  readonly status: number;
  readonly detail: string;

  constructor({ code, status, detail }: ApiErrorFields) {
    super(detail);
    this.name = "ApiError";
    this.code = code;
    this.status = status;
    this.detail = detail;
  }
}

/** Turns any thrown value into a failure that can be shown. */
export function problemOf(error: unknown): Problem {
  const { code, detail } = (error ?? {}) as Partial<Record<keyof Problem, unknown>>;
  if (typeof code === "string" && typeof detail === "string") return { code, detail };
  return { code: "PAGE_ERROR", detail: String(error) };
}
