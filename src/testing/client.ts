/** Talks to a server over real HTTP, in few words. Called by tests, against the in-process and the real one alike. */
import type { ReadEvent } from "./journal.ts";

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

/** The fields that tests ask for by name; the rest is compared as a whole. */
interface Body {
  readonly [field: string]: unknown;
  readonly run_id: string;
  readonly thread_id: string;
  readonly task_id: string;
  readonly status: unknown;
  readonly reply: string;
  readonly code: string;
  readonly detail: string;
}

export interface ChatFields {
  readonly agent_id?: string;
  readonly [field: string]: unknown;
}

export class Client {
  readonly url: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(url: string, headers: Readonly<Record<string, string>> = {}) {
    this.url = url;
    this.#headers = headers;
  }

  /** The bare response, for streams. */
  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.url}${path}`, { ...init, headers: { ...this.#headers, ...(init.headers as object) } });
  }

  async ask(path: string, init: RequestInit = {}): Promise<Reply> {
    const response = await this.fetch(path, init);
    const text = await response.text();
    const isJson = text !== "" && (response.headers.get("content-type")?.includes("json") ?? false);
    const body = (isJson ? JSON.parse(text) : { text }) as Body;
    return { status: response.status, headers: response.headers, body };
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Reply> {
    return this.ask(path, { headers });
  }

  post(path: string, body: unknown = {}, headers: Record<string, string> = {}): Promise<Reply> {
    return this.ask(path, postOf(body, headers));
  }

  /** POST /api/chat and wait for the reply. */
  chat(message: unknown, fields: ChatFields = {}, headers: Record<string, string> = {}): Promise<Reply> {
    return this.post("/api/chat", { agent_id: "assistant", message, ...fields }, headers);
  }

  /** POST /api/chat/async. @returns the run's id */
  async begin(message: string, fields: ChatFields = {}): Promise<string> {
    const { status, body } = await this.post("/api/chat/async", { agent_id: "assistant", message, ...fields });
    if (status !== 202) throw new Error(`Expected 202, got ${status}: ${JSON.stringify(body)}`);
    return body.run_id;
  }

  /** POST /api/chat/stream. */
  stream(message: string, fields: ChatFields = {}, init: RequestInit = {}): Promise<Response> {
    const { headers, ...post } = postOf({ agent_id: "assistant", message, ...fields });
    return this.fetch("/api/chat/stream", { ...post, ...init, headers: { ...headers, ...(init.headers as object) } });
  }

  /** GET /api/runs/{id}/events as SSE. */
  follow(runId: string, headers: Record<string, string> = {}, query = ""): Promise<Response> {
    return this.fetch(`/api/runs/${runId}/events${query}`, { headers: { Accept: "text/event-stream", ...headers } });
  }

  /** The whole journal of a run, page by page. */
  async events(runId: string): Promise<ReadEvent[]> {
    const events: ReadEvent[] = [];
    for (let next: number | null = 0; next !== null;) {
      const { body }: Reply = await this.get(`/api/runs/${runId}/events?after=${next}&limit=500`);
      events.push(...(body["events"] as ReadEvent[]));
      next = body["next"] as number | null;
    }
    return events;
  }
}

interface Post {
  readonly method: "POST";
  readonly headers: Record<string, string>;
  readonly body: string;
}

function postOf(body: unknown, headers: Record<string, string> = {}): Post {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return { method: "POST", headers: { "Content-Type": "application/json", ...headers }, body: text };
}
