/** What a request to evenkeel failed with. Runs in browsers, Node, Deno and Bun. */
import type { Problem } from "../api/problem.ts";

/** The server answered with an error (docs/errors.md lists the codes). Branch on `code`, not on the text. */
export class EvenkeelError extends Error {
  readonly code: Problem["code"];
  readonly status: number;
  readonly requestId: string;
  /** Id of the run that failed, or that still runs. */
  readonly runId: string | undefined;

  constructor({ code, status, detail, request_id: requestId, run_id: runId }: Problem) {
    super(detail);
    this.name = "EvenkeelError";
    this.code = code;
    this.status = status;
    this.requestId = requestId;
    this.runId = runId;
  }
}

/**
 * For `giveUpAfterMs` no server could be reached, or no answer came whole; or the answer did not come from an evenkeel.
 * `cause` is the last failure.
 */
export class ConnectionError extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = "ConnectionError";
  }
}

export function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && "code" in value && "detail" in value && "status" in value;
}
