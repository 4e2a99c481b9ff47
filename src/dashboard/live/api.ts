/** The HTTP API as pages use it: JSON in, JSON out, every failure an ApiError. The key goes along by itself. */
import { ApiError } from "./api-error.ts";
import { locked, secret } from "./key.ts";

export { ApiError } from "./api-error.ts";

/** @throws ApiError; the signal's own reason when it was aborted */
export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await ask(path, signal ? { signal } : {})) as T;
}

/** @returns undefined when the server answers without a body @throws ApiError */
export async function sendJson<T>(method: "POST" | "DELETE", path: string, body?: object): Promise<T | undefined> {
  const json = body && { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  return (await ask(path, { method, ...json })) as T | undefined;
}

async function ask(path: string, init: RequestInit): Promise<unknown> {
  const response = await send(path, init);
  const text = await response.text();
  const body = parse(text);
  if (response.ok) return body;
  if (response.status === 401) locked.value = true;
  throw new ApiError({ status: response.status, ...problemOf(body, response) });
}

async function send(path: string, init: RequestInit): Promise<Response> {
  const key = secret();
  const headers = { Accept: "application/json", ...(key !== null && { Authorization: `Bearer ${key}` }) };
  try {
    return await fetch(path, { ...init, headers: { ...headers, ...(init.headers as object) } });
  } catch (error) {
    if (init.signal?.aborted) throw error;
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
function problemOf(body: unknown, response: Response): { code: string; detail: string } {
  const { code, detail } = (body ?? {}) as { code?: unknown; detail?: unknown };
  return {
    code: typeof code === "string" ? code : `HTTP_${response.status}`,
    detail: typeof detail === "string" ? detail : `The server answered ${response.status} ${response.statusText}.`,
  };
}
