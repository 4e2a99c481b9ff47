/**
 * A JSON reply that may take minutes. White space before a JSON text means nothing (RFC 8259 § 2), so a
 * newline every 15 s keeps proxies from closing what looks dead. Once the first newline is out the status
 * line is gone as 200: an error then shows in the body's own `status`.
 */
import type { ServerResponse } from "node:http";
import { toJson } from "../core/json.ts";

const NEWLINE_MS = 15_000;

export class PatientReply {
  readonly #response: ServerResponse;
  readonly #timer: NodeJS.Timeout;

  constructor(response: ServerResponse) {
    this.#response = response;
    this.#timer = setInterval(() => this.#keepAlive(), NEWLINE_MS);
    response.on("close", () => clearInterval(this.#timer));
  }

  send(status: number, contentType: string, body: object): void {
    clearInterval(this.#timer);
    const text = toJson(body);
    if (!this.#response.headersSent) {
      const headers = { "Content-Type": `${contentType}; charset=utf-8`, "Content-Length": Buffer.byteLength(text) };
      this.#response.writeHead(status, headers);
    }
    this.#response.end(text);
  }

  #keepAlive(): void {
    if (!this.#response.headersSent)
      // nginx would keep the newlines to itself: whoever stands before it would see nothing, and give up.
      this.#response.writeHead(200, { "Content-Type": "application/json; charset=utf-8", "X-Accel-Buffering": "no" });
    this.#response.write("\n");
  }
}
