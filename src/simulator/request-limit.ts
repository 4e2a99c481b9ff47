/**
 * A limit of requests a minute, as the Messages API has it: a bucket that fills up evenly and is reported in the
 * headers of every answer. Called by routes.ts for POST /v1/messages. The real limits are by organisation; here there
 * is one.
 */
import type { ServerResponse } from "node:http";
import { Refusal } from "./errors.ts";

export interface RequestLimitOptions {
  readonly requestsPerMinute: number;
  /** How many requests may come at once. The API's own buckets hold those of a minute. */
  readonly burst?: number;
}

const MINUTE_MS = 60_000;

export class RequestLimit {
  readonly #perMinute: number;
  readonly #burst: number;
  #level: number;
  #at = performance.now();

  constructor({ requestsPerMinute, burst = requestsPerMinute }: RequestLimitOptions) {
    this.#perMinute = requestsPerMinute;
    this.#burst = burst;
    this.#level = burst;
  }

  /** Counts a request and puts what is left into the headers of its answer. @throws Refusal 429, with Retry-After */
  take(response: ServerResponse): void {
    const now = performance.now();
    this.#level = Math.min(this.#burst, this.#level + ((now - this.#at) * this.#perMinute) / MINUTE_MS);
    this.#at = now;
    const isOver = this.#level < 1;
    if (!isOver) this.#level -= 1;
    const fullInMs = ((this.#burst - this.#level) * MINUTE_MS) / this.#perMinute;
    response.setHeader("anthropic-ratelimit-requests-limit", this.#perMinute);
    response.setHeader("anthropic-ratelimit-requests-remaining", Math.floor(this.#level));
    response.setHeader("anthropic-ratelimit-requests-reset", new Date(Date.now() + fullInMs).toISOString());
    if (!isOver) return;
    const retryAfterSeconds = Math.ceil(((1 - this.#level) * MINUTE_MS) / this.#perMinute / 1000);
    const message = `This request would exceed the limit of ${this.#perMinute} requests per minute.`;
    throw new Refusal("rate_limit_error", message, { retryAfterSeconds });
  }
}
