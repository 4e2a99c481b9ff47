/**
 * Requests that outlast lost connections, restarts and drains: what may be repeated is repeated, with growing pauses,
 * until the whole answer is there or tries have failed for `giveUpAfterMs`.
 */
import { backoffMs } from "../core/backoff.ts";
import { wholeOf } from "./body.ts";
import { ConnectionError, EvenkeelError, isProblem } from "./errors.ts";

export interface HttpOptions {
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly fetch: typeof globalThis.fetch;
  readonly giveUpAfterMs: number;
  readonly silentAfterMs: number;
}

export interface Call {
  readonly method?: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, unknown>> | undefined;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Bytes that are sent unchanged. */
  readonly bytes?: Blob;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /**
   * The request must not be repeated: after a lost connection nobody knows whether the server has done it,
   * and a repetition could do it twice.
   */
  readonly once?: boolean;
}

type Eventually<T> = T | Promise<T>;

/** @param onWaiting called for each sign that the server still works on the answer */
type Read<T> = (response: Response, onWaiting: () => void) => Eventually<T>;

/** The answer, or what to try again after. */
type Outcome<T> = { readonly answer: T } | { readonly error: Error; readonly retryAfterMs: number | undefined };

const BACKOFF = { firstMs: 200, maxMs: 5_000 };
/** Nobody tells how much of a body is sent already, so an answer may come as much later as a slow line needs for the body. */
const SLOWEST_BYTES_A_MS = 16;

/**
 * Status codes of a server that restarts, drains or is overloaded, and of a proxy that answers in its place. 408: it did not
 * read the request in time, so a request may be sent again (RFC 9110 § 15.5.9); the server may have stood still.
 */
const TRANSIENT: ReadonlySet<number> = new Set([408, 429, 502, 503, 504]);

export class Http {
  readonly #options: HttpOptions;

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  /** @returns the parsed body. @throws EvenkeelError, ConnectionError, the signal's reason */
  async json(call: Call): Promise<unknown> {
    const bytes = await this.#whole(call);
    if (!bytes) return undefined;
    const body = parsed(await bytes.text(), call.path);
    // When an answer takes more than 25 s, the server sends status 200 and a newline first; then the body says how it
    // ended.
    if (isProblem(body)) throw new EvenkeelError(body);
    return body;
  }

  /** @returns the body. @throws EvenkeelError, ConnectionError, the signal's reason */
  async blob(call: Call): Promise<Blob> {
    return (await this.#whole(call)) ?? new Blob();
  }

  /** @returns a response that is a success, for streams. @throws EvenkeelError, ConnectionError, the signal's reason */
  send(call: Call): Promise<Response> {
    return this.#outlast(call, (response) => response);
  }

  /** @returns the body; undefined when there is none */
  #whole(call: Call): Promise<Blob | undefined> {
    const { silentAfterMs } = this.#options;
    return this.#outlast(call, async (response, onWaiting) =>
      response.status === 204 ? undefined : wholeOf(response, silentAfterMs, onWaiting),
    );
  }

  /** @param read a body that breaks off is asked for again */
  async #outlast<T>(call: Call, read: Read<T>): Promise<T> {
    let failingSince: number | undefined;
    const onWaiting = () => (failingSince = undefined);
    for (let failures = 1; ; failures += 1) {
      const outcome = await this.#try(call, (response) => read(response, onWaiting));
      if ("answer" in outcome) return outcome.answer;
      failingSince ??= performance.now();
      // Some proxies send `Retry-After: 0` with every refusal.
      const waitMs = Math.max(backoffMs(failures, BACKOFF), outcome.retryAfterMs ?? 0);
      if (call.once || performance.now() + waitMs > failingSince + this.#options.giveUpAfterMs) throw outcome.error;
      await sleep(waitMs, call.signal);
    }
  }

  /** @throws what no repetition mends */
  async #try<T>(call: Call, read: (response: Response) => Eventually<T>): Promise<Outcome<T>> {
    const { method = "GET", path, query, body, bytes, headers, signal } = call;
    const text = body === undefined ? undefined : JSON.stringify(body);
    const init: RequestInit = {
      method,
      headers: {
        ...this.#options.headers,
        ...(text !== undefined && { "Content-Type": "application/json" }),
        ...headers,
      },
      ...(text !== undefined && { body: text }),
      ...(bytes && { body: bytes }),
      ...(signal && { signal }),
    };
    let response: Response | undefined;
    try {
      const sendingMs = (bytes?.size ?? text?.length ?? 0) / SLOWEST_BYTES_A_MS;
      response = await this.#begun(`${path}${searchOf(query)}`, init, this.#options.silentAfterMs + sendingMs);
      if (response.ok) return { answer: await read(response) };
    } catch (error) {
      signal?.throwIfAborted();
      const what = response ? `The answer to ${path} broke off.` : `${this.#options.baseUrl} cannot be reached.`;
      return { error: new ConnectionError(what, error), retryAfterMs: undefined };
    }
    const error = await errorOf(response, path, this.#options.silentAfterMs);
    // A failure without our error body comes from a proxy. Vite's proxy says 500 where others say 502.
    const isOfProxy = response.status >= 500 && !(error instanceof EvenkeelError);
    if ((!TRANSIENT.has(response.status) && !isOfProxy) || isAnswered(error)) throw error;
    return { error, retryAfterMs: retryAfterOf(response) };
  }

  /** @returns the response once it begins; it may then take any time. @throws when it does not begin within `ms` */
  async #begun(path: string, init: RequestInit, ms: number): Promise<Response> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error(`No answer began within ${Math.round(ms)} ms.`)), ms);
    const signal = init.signal ? AbortSignal.any([init.signal, late.signal]) : late.signal;
    try {
      return await this.#options.fetch(`${this.#options.baseUrl}${path}`, { ...init, signal });
    } finally {
      clearTimeout(timer);
    }
  }
}

function parsed(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ConnectionError(`${path} was answered with something that is not JSON.`, error);
  }
}

/** The error of a run says how the run ended, so a repeated request would get the same answer. */
function isAnswered(error: Error): boolean {
  return error instanceof EvenkeelError && error.runId !== undefined && error.code !== "SHUTTING_DOWN";
}

/** Of a body that breaks off, or falls silent, the status is known all the same. */
async function errorOf(response: Response, path: string, silentAfterMs: number): Promise<Error> {
  const whole = await wholeOf(response, silentAfterMs, () => {}).catch(() => undefined);
  const text = (await whole?.text()) ?? "";
  try {
    const body: unknown = JSON.parse(text);
    if (isProblem(body)) return new EvenkeelError(body);
  } catch {
    // The body is a proxy's error page.
  }
  return new ConnectionError(`${path} was answered with status ${response.status}.`, text.slice(0, 500));
}

function retryAfterOf({ headers }: Response): number | undefined {
  const seconds = Number(headers.get("retry-after") ?? Number.NaN);
  return Number.isFinite(seconds) ? seconds * 1000 : undefined;
}

function searchOf(query: Call["query"]): string {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined);
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return given.length > 0 ? `?${search.toString()}` : "";
}

export function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
