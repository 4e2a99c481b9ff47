/**
 * Requests that outlast lost connections, restarts and drains: what may be repeated is repeated, with growing pauses,
 * until the server answered or `giveUpAfterMs` passed without an answer.
 */
import { backoffMs } from "../core/backoff.ts";
import { ConnectionError, EvenkeelError, isProblem } from "./errors.ts";

export interface HttpOptions {
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly fetch: typeof globalThis.fetch;
  readonly giveUpAfterMs: number;
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

const BACKOFF = { firstMs: 200, maxMs: 5_000 };

/**
 * Status codes of a server that restarts, drains or is overloaded, and of a proxy that answers in its place.
 */
const TRANSIENT: ReadonlySet<number> = new Set([429, 502, 503, 504]);

export class Http {
  readonly #options: HttpOptions;

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  /** @returns the parsed body. @throws EvenkeelError, ConnectionError, the signal's reason */
  async json(call: Call): Promise<unknown> {
    const response = await this.send(call);
    if (response.status === 204) return undefined;
    const body: unknown = await response.json().catch((error: unknown) => {
      throw new ConnectionError(`${call.path} was answered with something that is not JSON.`, error);
    });
    // When an answer takes more than 25 s, the server sends status 200 and a newline first; then the body says how it
    // ended.
    if (isProblem(body)) throw new EvenkeelError(body);
    return body;
  }

  /** @returns a response that is a success. @throws EvenkeelError, ConnectionError, the signal's reason */
  async send(call: Call): Promise<Response> {
    const until = performance.now() + this.#options.giveUpAfterMs;
    for (let failures = 1; ; failures += 1) {
      const outcome = await this.#try(call);
      if (outcome instanceof Response) return outcome;
      const waitMs = outcome.retryAfterMs ?? backoffMs(failures, BACKOFF);
      if (call.once || performance.now() + waitMs > until) throw outcome.error;
      await sleep(waitMs, call.signal);
    }
  }

  /** @returns what to try again after. @throws what no repetition mends */
  async #try({ method = "GET", path, query, body, bytes, headers, signal }: Call) {
    const init: RequestInit = {
      method,
      headers: {
        ...this.#options.headers,
        ...(body !== undefined && { "Content-Type": "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(bytes && { body: bytes }),
      ...(signal && { signal }),
    };
    let response: Response;
    try {
      response = await this.#options.fetch(`${this.#options.baseUrl}${path}${searchOf(query)}`, init);
    } catch (error) {
      signal?.throwIfAborted();
      return {
        error: new ConnectionError(`${this.#options.baseUrl} cannot be reached.`, error),
        retryAfterMs: undefined,
      };
    }
    if (response.ok) return response;
    const error = await errorOf(response, path);
    // A failure without our error body comes from a proxy. Vite's proxy says 500 where others say 502.
    const isOfProxy = response.status >= 500 && !(error instanceof EvenkeelError);
    if ((!TRANSIENT.has(response.status) && !isOfProxy) || isAnswered(error)) throw error;
    return { error, retryAfterMs: retryAfterOf(response) };
  }
}

/** The error of a run says how the run ended, so a repeated request would get the same answer. */
function isAnswered(error: Error): boolean {
  return error instanceof EvenkeelError && error.runId !== undefined && error.code !== "SHUTTING_DOWN";
}

async function errorOf(response: Response, path: string): Promise<Error> {
  const text = await response.text().catch(() => "");
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
