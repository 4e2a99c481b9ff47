/**
 * A JSON reply that may take minutes. White space before a JSON text means nothing (RFC 8259 § 2), so that after
 * FIRST_NEWLINE_MS newlines keep proxies from closing what looks dead. With the first of them the status line is gone
 * as 200. A failure after that sends its problem and ends the connection without the end of the body, so that no
 * client takes it for a success: all HTTP clients fail on a body that breaks off.
 */
import type { ServerResponse } from "node:http";
import { toJson } from "../core/json.ts";

/** As late as proxies allow (the strictest that are common give up after 30 s): until then the status says the truth. */
const FIRST_NEWLINE_MS = 25_000;
const NEWLINE_MS = 15_000;

export interface PatientOptions {
  /** No newlines: the client said how long it waits. */
  readonly silent: boolean;
}

export class PatientReply {
  readonly #response: ServerResponse;
  #timer: NodeJS.Timeout | undefined;

  constructor(response: ServerResponse, { silent }: PatientOptions) {
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
      // nginx would keep the newlines to itself, and a client before it would see nothing, and give up.
      this.#response.writeHead(200, { "Content-Type": "application/json; charset=utf-8", "X-Accel-Buffering": "no" });
    this.#response.write("\n");
    this.#timer = setTimeout(() => this.#keepAlive(), NEWLINE_MS);
  }
}
