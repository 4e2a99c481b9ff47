/** The HTTP API as pages use it: JSON in, JSON out, every failure an ApiError. The key goes along by itself. */
import { ApiError, type Problem } from "./api-error.ts";
import { locked, secret } from "./key.ts";

/** No answer at all for so long: lists ask one thing at a time, and one that hangs must not hold them for ever. */
const PATIENCE_MS = 30_000;

export interface GetOptions {
  readonly signal?: AbortSignal;
  /** In the place of the one that is kept: to find out whether it is right. */
  readonly secret?: string | null;
}

/** @throws ApiError; the signal's own reason when it was aborted */
export async function getJson<T>(path: string, { signal, secret: given }: GetOptions = {}): Promise<T> {
  return (await ask(path, { ...(signal && { signal }), headers: headersOf(given) })) as T;
}

/** @returns undefined when the server answers without a body @throws ApiError */
export async function sendJson<T>(method: "POST" | "DELETE", path: string, body?: object): Promise<T | undefined> {
  const headers = { ...headersOf(), ...(body && { "Content-Type": "application/json" }) };
  return (await ask(path, { method, headers, ...(body && { body: JSON.stringify(body) }) })) as T | undefined;
}

function headersOf(key: string | null = secret()): Record<string, string> {
  return { Accept: "application/json", ...(key !== null && { Authorization: `Bearer ${key}` }) };
}

async function ask(path: string, init: RequestInit): Promise<unknown> {
  const { response, text } = await send(path, init);
  const body = parse(text);
  if (response.ok) return body;
  if (response.status === 401) locked.value = true;
  throw new ApiError({ status: response.status, ...refusalOf(body, response) });
}

async function send(path: string, init: RequestInit): Promise<{ response: Response; text: string }> {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  const signal = init.signal ? AbortSignal.any([init.signal, patience]) : patience;
  try {
    // Relative to the page, which may be served under a path of a proxy.
    const response = await fetch(`.${path}`, { ...init, signal });
    return { response, text: await response.text() };
  } catch (error) {
    // Who gave up wants to hear that; for whoever waited in vain the server is as good as gone.
    const isTimeout = (signal.reason as { name?: unknown } | undefined)?.name === "TimeoutError";
    if (signal.aborted && !isTimeout) throw error;
    throw new ApiError({ code: "UNREACHABLE", status: 0, detail: "The server cannot be reached." });
  }
}

function parse(text: string): unknown {
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** RFC 9457, or the status alone when something between us and the server answered. */
function refusalOf(body: unknown, response: Response): Problem {
  const { code, detail } = (body ?? {}) as { code?: unknown; detail?: unknown };
  return {
    code: typeof code === "string" ? code : `HTTP_${response.status}`,
    detail: typeof detail === "string" ? detail : `The server answered ${response.status} ${response.statusText}.`,
  };
}
