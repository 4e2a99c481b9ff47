/**
 * A JSON reply that may take minutes. White space before a JSON text means nothing (RFC 8259 § 2). So after
 * FIRST_NEWLINE_MS, newlines keep proxies from closing a connection that looks dead. The first newline sends the status
 * 200. A later failure sends its problem and then cuts the connection before the end of the body: all HTTP clients fail
 * on such a body, so none takes it for a success.
 */
import type { ServerResponse } from "node:http";
import { toJson } from "../core/json.ts";

/** As late as proxies allow (the strictest common ones give up after 30 s), because the status is right until then. */
const FIRST_NEWLINE_MS = 25_000;
const NEWLINE_MS = 15_000;

export interface KeepAliveOptions {
  /** True: send no newlines, because the client said how long it waits. */
  readonly silent: boolean;
}

export class KeepAliveReply {
  readonly #response: ServerResponse;
  #timer: NodeJS.Timeout | undefined;

  constructor(response: ServerResponse, { silent }: KeepAliveOptions) {
    this.#response = response;
    if (!silent) this.#timer = setTimeout(() => this.#keepAlive(), FIRST_NEWLINE_MS);
    response.on("close", () => clearTimeout(this.#timer));
  }

  send(status: number, contentType: string, body: object): void {
    clearTimeout(this.#timer);
    const text = toJson(body);
    if (this.#response.headersSent && status >= 400) {
      this.#response.write(text, () => this.#response.destroy());
      return;
    }
    if (!this.#response.headersSent) {
      const headers = { "Content-Type": `${contentType}; charset=utf-8`, "Content-Length": Buffer.byteLength(text) };
      this.#response.writeHead(status, headers);
    }
    this.#response.end(text);
  }

  #keepAlive(): void {
    if (!this.#response.headersSent)
      // Without this header nginx would hold the newlines back, and a client in front of it would see nothing and give
      // up.
      this.#response.writeHead(200, { "Content-Type": "application/json; charset=utf-8", "X-Accel-Buffering": "no" });
    this.#response.write("\n");
    this.#timer = setTimeout(() => this.#keepAlive(), NEWLINE_MS);
  }
}
