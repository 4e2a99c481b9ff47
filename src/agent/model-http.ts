/**
 * How requests get to the model: a `fetch` for the SDK over node:http, with the operator's proxy, whose responses are
 * read as Node streams. Made once per agent process by `model-client.ts`, which also closes it. [Reading 200 slow
 * streams costs 32 µs of CPU per event through fetch's web streams, 16 µs this way.]
 */
import type { Agent as HttpAgent, IncomingMessage, ProxyEnv } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Readable } from "node:stream";
import { http } from "../core/node-http.ts";
import { BrokenAnswer, WrongEndpoint } from "./model-error.ts";
import type { Redact } from "./secrets.ts";
import { describeBody } from "./unexpected-body.ts";

/** How much is read of an answer that is an error, or no event stream. */
const MAX_ERROR_CHARACTERS = 64 * 1024;

export interface ModelHttpOptions {
  /** HTTP_PROXY, HTTPS_PROXY and NO_PROXY, if they are set. */
  readonly proxy: ProxyEnv | undefined;
  readonly redact: Redact;
  /** Secrets that no answer may show. Default: none. */
  readonly answerSecrets?: readonly string[];
}

export class ModelHttp {
  readonly #options: ModelHttpOptions;
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;

  constructor(options: ModelHttpOptions) {
    const { proxy } = options;
    // One socket for each call under way; AGENT_CONCURRENCY bounds their number.
    const agentOptions = { keepAlive: true, ...(proxy && { proxyEnv: proxy }) };
    this.#options = options;
    this.#http = new http.Agent(agentOptions);
    this.#https = new HttpsAgent(agentOptions);
  }

  /** The function that the SDK calls. It has no time limit of its own: the signal ends it. */
  readonly fetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(input instanceof Request ? input.url : input);
    const stream = await this.#send(url, init).catch((error: unknown) => {
      // The server closed an idle socket while we were about to use it, so it has not seen the request: send it again.
      if (error instanceof StaleSocket) return this.#send(url, init);
      throw error;
    });
    const { redact, answerSecrets = [] } = this.#options;
    const status = stream.statusCode ?? 0;
    const headers = headersOf(stream, redact);
    if (status >= 300 && status < 400) {
      stream.destroy();
      throw new WrongEndpoint(`${url.href} answered ${status}, a redirect to ${headers.get("location") ?? "nowhere"}`);
    }
    const response = new StreamedResponse(stream, { status, headers, url: url.href, redact, answerSecrets });
    return response.ok ? response : response.asError();
  };

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  /** Resolves with the response once its headers have arrived. */
  #send(url: URL, { method = "GET", headers, body, signal }: RequestInit): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const isSecure = url.protocol === "https:";
    const request = (isSecure ? httpsRequest : http.request)(url, {
      method,
      headers: { ...Object.fromEntries(new Headers(headers)), "accept-encoding": "identity" },
      agent: isSecure ? this.#https : this.#http,
      ...(signal && { signal }),
    });
    request.once("response", resolve);
    request.on("error", (error: NodeJS.ErrnoException) => {
      const isStale = request.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE");
      reject(isStale ? new StaleSocket(error.message, { cause: error }) : error);
    });
    request.end(typeof body === "string" ? body : undefined);
    return promise;
  }
}

class StaleSocket extends Error {}

interface ResponseParts {
  readonly status: number;
  readonly headers: Headers;
  readonly url: string;
  readonly redact: Redact;
  readonly answerSecrets?: readonly string[];
}

/** A response whose body is read once, by `read`; `body`, `text()` and the like do not see the body. */
export class StreamedResponse extends Response {
  readonly #stream: Readable;
  readonly #redact: Redact;
  readonly #url: string;
  readonly answerSecrets: readonly string[];

  constructor(stream: Readable, { status, headers, url, redact, answerSecrets = [] }: ResponseParts) {
    super(null, { status, headers });
    this.answerSecrets = answerSecrets;
    this.#stream = stream;
    this.#redact = redact;
    this.#url = url;
  }

  /** The URL that was requested. (`url` is empty in a response that a constructor made.) */
  get asked(): string {
    return this.#url;
  }

  get redact(): Redact {
    return this.#redact;
  }

  /**
   * Resolves when the body ends. Rejects with what `onText` throws, and closes the connection then.
   * @throws BrokenAnswer when the connection breaks
   */
  async read(onText: (text: string) => void): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const stream = this.#stream;
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => {
      try {
        onText(text);
      } catch (error) {
        reject(error);
        stream.destroy();
      }
    });
    stream.once("end", resolve);
    // The listeners keep `this` alive: the SDK aborts a request whose response was garbage collected.
    stream.on("error", (error) => reject(this.#broken(error.message)));
    stream.once("close", () => reject(this.#broken("the connection was closed")));
    await promise;
  }

  /** The beginning of the body. Closes the connection. */
  async readStart(): Promise<string> {
    let text = "";
    const enough = new Error("enough");
    try {
      await this.read((more) => {
        text += more;
        if (text.length > MAX_ERROR_CHARACTERS) throw enough;
      });
    } catch (error) {
      if (error !== enough && text === "") throw error;
    }
    return text.slice(0, MAX_ERROR_CHARACTERS);
  }

  /** A response with a body that the SDK can read: the API's own error, or one that says what came instead. */
  async asError(): Promise<Response> {
    const text = this.#redact(await this.readStart());
    const { status, headers } = this;
    const body = isApiError(text) ? text : JSON.stringify({ error: { message: this.describe(text) } });
    return new Response(body, { status, headers });
  }

  describe(text: string): string {
    return `${describeBody(text)} from ${this.#url}`;
  }

  #broken(reason: string): BrokenAnswer {
    return new BrokenAnswer(`the answer broke off: ${reason}`);
  }
}

function headersOf({ rawHeaders }: IncomingMessage, redact: Redact): Headers {
  const headers = new Headers();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    headers.append(rawHeaders[at] ?? "", redact(rawHeaders[at + 1] ?? ""));
  }
  return headers;
}

function isApiError(text: string): boolean {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === "object" && body !== null && "error" in body;
  } catch {
    return false;
  }
}
