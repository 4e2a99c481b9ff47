/** Reads a response of the HTTP API, from fetch or from XMLHttpRequest: its body, or why it was refused. */
import { ApiError, type Problem } from "./api-error.ts";
import { locked } from "./key.ts";

export interface Answer {
  readonly status: number;
  readonly statusText: string;
  readonly text: string;
}

/** @returns undefined when the server answered without a body @throws ApiError */
export function readAnswer(answer: Answer): unknown {
  const body = parse(answer.text);
  const { status } = answer;
  if (status >= 200 && status < 300) return body;
  if (status === 401) locked.value = true;
  throw new ApiError({ status, ...refusalOf(body, answer) });
}

export function unreachable(): ApiError {
  return new ApiError({ code: "UNREACHABLE", status: 0, detail: "The server cannot be reached." });
}

function parse(text: string): unknown {
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Reads the problem of RFC 9457, or only the status when a proxy between page and server answered. */
function refusalOf(body: unknown, { status, statusText }: Answer): Problem {
  const { code, detail } = (body ?? {}) as { code?: unknown; detail?: unknown };
  return {
    code: typeof code === "string" ? code : `HTTP_${status}`,
    detail: typeof detail === "string" ? detail : `The server answered ${status} ${statusText}.`,
  };
}
