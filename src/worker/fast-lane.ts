/**
 * Answers the two routes that monitors and dashboards poll, before Koa sees the request: `/health` from a prebuilt
 * buffer, `/api/activities` from a body that is rendered once per change of the feed. Koa would cost more than the
 * answer itself. [GET /health: 1.9 × bare node:http through Koa and a router.]
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { READ_ACTIVITIES } from "../api/activities.ts";
import { READ_HEALTH } from "../api/system.ts";
import { onlyOwner, type Principal } from "../core/principal.ts";
import type { ActivityFilter, Engine } from "../engine/engine.ts";
import { ANSWER_HEADERS } from "./answer-headers.ts";
import { readQuery } from "./input.ts";
import { assertMay } from "./serve.ts";
import { assertResumable } from "./position.ts";
import { toJson } from "../core/json.ts";
import { keptBytes } from "../core/kept-bytes.ts";

const HEALTH = Buffer.from('{"status":"ok"}');
const HEALTH_HEADERS = [
  "Content-Type",
  "application/json",
  "Content-Length",
  String(HEALTH.length),
  "Cache-Control",
  "no-store",
];

/** Only the reader itself may keep the feed, and must ask each time whether it changed: the ETag is for that. */
const REVALIDATED = Object.entries({ ...ANSWER_HEADERS, "Cache-Control": "private, no-cache" }).flat();

/** How many bodies are kept, one per query string and owner; at the bound all are dropped. No larger body is kept. */
const MAX_CACHED = 200;
const MAX_CACHED_BYTES = 64 * 1024;

interface Rendered {
  readonly etag: string;
  readonly body: Buffer;
  readonly headers: readonly string[];
}

export class FastLane {
  readonly #engine: Engine;
  readonly #activities = new Map<string, Rendered>();
  #position = -1;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /**
   * @returns a promise of the answer, true when the request was answered at once, or false when it is for another route
   */
  answer(request: IncomingMessage, response: ServerResponse, principal: Principal): Promise<void> | boolean {
    const { url = "", method } = request;
    if (method !== "GET" && method !== "HEAD") return false;
    if (isAt(READ_HEALTH.path, url)) {
      response.writeHead(200, HEALTH_HEADERS);
      response.end(HEALTH);
      return true;
    }
    if (isAt(READ_ACTIVITIES.path, url)) return this.#answerActivities(request, response, principal);
    return false;
  }

  async #answerActivities(
    { url = "", headers }: IncomingMessage,
    response: ServerResponse,
    principal: Principal,
  ): Promise<void> {
    assertMay(principal, READ_ACTIVITIES);
    const rendered = await this.#render(url, onlyOwner(principal));
    if (headers["if-none-match"]?.includes(rendered.etag)) {
      response.writeHead(304, ["ETag", rendered.etag, ...REVALIDATED]);
      response.end();
      return;
    }
    response.writeHead(200, rendered.headers as string[]);
    response.end(rendered.body);
  }

  /** @param owner the principal whose activities are shown; undefined for all */
  async #render(url: string, owner: string | undefined): Promise<Rendered> {
    const position = await this.#engine.lastActivity();
    if (position !== this.#position || this.#activities.size >= MAX_CACHED) this.#activities.clear();
    this.#position = position;
    const key = owner === undefined ? url : `${url} ${owner}`;
    const cached = this.#activities.get(key);
    if (cached) return cached;
    const filter = filterOf(new URL(url, "http://localhost"));
    assertResumable({ name: "after", after: filter.after ?? 0, newest: position, of: "the activities" });
    const { items, next } = await this.#engine.activities({
      ...filter,
      ...(owner !== undefined && { principal: owner }),
    });
    const rendered = render(keptBytes(toJson({ activities: items, next })), position);
    // Another process may have appended between the two reads. Then the body is newer than its ETag, so do not keep it.
    const current = (items[0]?.seq ?? 0) <= position && position === this.#position;
    if (current && rendered.body.length <= MAX_CACHED_BYTES) this.#activities.set(key, rendered);
    return rendered;
  }
}

/** The path of a request target, with or without a query. */
function isAt(path: string, url: string): boolean {
  return url.startsWith(path) && (url.length === path.length || url[path.length] === "?");
}

function render(body: Buffer, position: number): Rendered {
  const etag = `"${position}-${body.length}"`;
  const headers = ["Content-Type", "application/json; charset=utf-8", "Content-Length", String(body.length)];
  return { etag, body, headers: [...headers, "ETag", etag, ...REVALIDATED] };
}

function filterOf({ searchParams }: URL): ActivityFilter {
  const query = readQuery(READ_ACTIVITIES.query, searchParams);
  const { limit, before, after, agent_id, thread_id, run_id, type } = query;
  return {
    limit,
    ...(before !== undefined && { before }),
    ...(after !== undefined && { after }),
    ...(agent_id !== undefined && { agentId: agent_id }),
    ...(thread_id !== undefined && { threadId: thread_id }),
    ...(run_id !== undefined && { runId: run_id }),
    ...(type !== undefined && { type }),
  };
}
