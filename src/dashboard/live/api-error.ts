/** What the server refused, over HTTP and over the socket alike. Branch on `code`, the table of core/errors.ts. */

export interface ApiErrorFields {
  readonly code: string;
  /** The HTTP status; 0 when no HTTP answer came: the network failed, or the refusal came over the socket. */
  readonly status: number;
  readonly detail: string;
}

export class ApiError extends Error {
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
