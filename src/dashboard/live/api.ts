/** The HTTP API as pages use it: JSON in, JSON out, every failure an ApiError. The session's cookie goes along by itself. */
import { readAnswer, unreachable, type Answer } from "./answer.ts";

/**
 * Time limit for an answer: lists send one request at a time, and a request that hangs must not block them for ever.
 */
const PATIENCE_MS = 30_000;

const ACCEPT = { Accept: "application/json" };

export interface GetOptions {
  readonly signal?: AbortSignal;
}

export interface SendOptions {
  /** The key to sign in with; all other requests carry the cookie. */
  readonly key?: string;
}

/** @throws ApiError; the signal's own reason when it was aborted */
export async function getJson<T>(path: string, { signal }: GetOptions = {}): Promise<T> {
  return (await ask(path, { ...(signal && { signal }), headers: ACCEPT })) as T;
}

/** @returns undefined when the server answers without a body @throws ApiError */
export async function sendJson<T>(
  method: "POST" | "DELETE",
  path: string,
  { key }: SendOptions = {},
): Promise<T | undefined> {
  const headers = { ...ACCEPT, ...(key !== undefined && { Authorization: `Bearer ${key}` }) };
  return (await ask(path, { method, headers })) as T | undefined;
}

async function ask(path: string, init: RequestInit): Promise<unknown> {
  return readAnswer(await send(path, init));
}

async function send(path: string, init: RequestInit): Promise<Answer> {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  const signal = init.signal ? AbortSignal.any([init.signal, patience]) : patience;
  try {
    // Relative to the page, which may be served under a path of a proxy.
    const response = await fetch(`.${path}`, { ...init, signal });
    return { status: response.status, statusText: response.statusText, text: await response.text() };
  } catch (error) {
    // A caller that aborted gets its own reason; a timeout counts as an unreachable server.
    const isTimeout = (signal.reason as { name?: unknown } | undefined)?.name === "TimeoutError";
    if (signal.aborted && !isTimeout) throw error;
    throw unreachable();
  }
}
