/**
 * evenkeel's own client: `import { Evenkeel } from "evenkeel/client"`. It needs `fetch` and nothing else, so it runs in
 * browsers, Node, Deno and Bun. Requests and answers have the types of the server's contract (`src/api/`).
 */
import type { z } from "zod";
import type { POST_NOTICE, READ_ACTIVITIES } from "../api/activities.ts";
import type { LIST_AGENTS } from "../api/agents.ts";
import type { BEGIN_CHAT, Chat, Reply, Task } from "../api/chat.ts";
import type { FileInfo, LIST_FILES } from "../api/files.ts";
import type { Answer, Route } from "../api/route.ts";
import type { LIST_RUNS, Run } from "../api/runs.ts";
import type { LIST_PROCESSES } from "../api/system.ts";
import type { LIST_THREADS, SHOW_THREAD, Thread } from "../api/threads.ts";
import { follow, type ClientEvent } from "./follow.ts";
import { Http, type Call } from "./http.ts";

export { ConnectionError, EvenkeelError } from "./errors.ts";
export type { Chat, ClientEvent, FileInfo, Reply, Run, Task, Thread };

export interface EvenkeelOptions {
  /** Where the server is, for example `https://agents.example.com`. In a browser "" means the page's own origin. */
  readonly baseUrl?: string;
  readonly apiKey?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly fetch?: typeof globalThis.fetch;
  /** A request or stream is given up when it has failed again and again for this long. Default 60,000. */
  readonly giveUpAfterMs?: number;
  /**
   * A stream that is silent for this long is opened again, and an answer that does not begin for this long, or is silent in
   * its middle, is asked for again. Some proxies keep a connection open whose server has died; the server itself begins within
   * 25 s and then sends something every 15 s. Requests with a body get a second more for each 16 kB. Default 35,000.
   */
  readonly silentAfterMs?: number;
}

interface Wait {
  readonly signal?: AbortSignal;
}

/** The query and the successful answer of a route, as the contract has them. */
type Query<R extends Route> = R["query"] extends z.ZodType ? z.input<R["query"]> : undefined;
type Success<R extends Route> = {
  [S in keyof R["answers"]]: R["answers"][S] extends Answer<infer Body> & { json: unknown } ? z.output<Body> : never;
}[keyof R["answers"]];

export class Evenkeel {
  readonly #http: Http;
  readonly #giveUpAfterMs: number;
  readonly #silentAfterMs: number;

  constructor({
    baseUrl = "",
    apiKey,
    headers = {},
    fetch = globalThis.fetch,
    giveUpAfterMs = 60_000,
    silentAfterMs = 35_000,
  }: EvenkeelOptions = {}) {
    this.#giveUpAfterMs = giveUpAfterMs;
    this.#silentAfterMs = silentAfterMs;
    this.#http = new Http({
      baseUrl: baseUrl.replace(/\/$/, ""),
      headers: { ...headers, ...(apiKey !== undefined && { Authorization: `Bearer ${apiKey}` }) },
      // A browser's fetch must not be called as a method of another object.
      fetch: (input, init) => fetch(input, init),
      giveUpAfterMs,
      silentAfterMs,
    });
  }

  /**
   * Chats and waits for the reply. The request has a run id of its own, so it is repeated after a lost connection and
   * never makes a second run. @throws EvenkeelError why the run failed
   */
  async chat(chat: Chat, { signal }: Wait = {}): Promise<Reply> {
    return (await this.#http.json(post("/api/chat", named(chat), signal))) as Reply;
  }

  /** Chats, and yields the run's events until its last one; resumes by itself. Leaving the loop does not cancel the run. */
  stream(chat: Chat, { signal }: Wait = {}): AsyncGenerator<ClientEvent, void, undefined> {
    const body = named(chat);
    const begin = post("/api/chat/stream", body, signal);
    const subagents = body.subagents ?? undefined;
    return follow({ ...this.#followOptions(body.run_id, 0, signal), subagents, begin });
  }

  /**
   * The events of a run above `after`, until its last one; resumes by itself. With `subagents`, the events of the delegated runs
   * that have no result by `after` come from their beginnings.
   */
  follow(
    runId: string,
    { after = 0, subagents, signal }: Wait & { readonly after?: number; readonly subagents?: "inline" } = {},
  ): AsyncGenerator<ClientEvent, void, undefined> {
    return follow({ ...this.#followOptions(runId, after, signal), subagents });
  }

  /** Begins a run and returns at once. Read its state with `task`, or its events with `follow`. */
  async begin(chat: Chat, { signal }: Wait = {}): Promise<Success<typeof BEGIN_CHAT>> {
    return (await this.#http.json(post("/api/chat/async", named(chat), signal))) as Success<typeof BEGIN_CHAT>;
  }

  async task(taskId: string, { signal }: Wait = {}): Promise<Task> {
    return (await this.#http.json({ path: `/api/chat/task/${encodeURIComponent(taskId)}`, signal })) as Task;
  }

  async run(runId: string, { signal }: Wait = {}): Promise<Run> {
    return (await this.#http.json({ path: `/api/runs/${encodeURIComponent(runId)}`, signal })) as Run;
  }

  /** Newest first; `next` is the `before` of the following page. */
  runs(query: Query<typeof LIST_RUNS> = {}, wait: Wait = {}): Promise<Success<typeof LIST_RUNS>> {
    return this.#list<typeof LIST_RUNS>("/api/runs", query, wait);
  }

  async cancel(runId: string, { signal }: Wait = {}): Promise<Run> {
    return (await this.#http.json(post(`/api/runs/${encodeURIComponent(runId)}/cancel`, undefined, signal))) as Run;
  }

  /** Continues a failed or canceled run in a new run. */
  async retry(runId: string, { signal }: Wait = {}): Promise<Run> {
    return (await this.#http.json(post(`/api/runs/${encodeURIComponent(runId)}/retry`, undefined, signal))) as Run;
  }

  /** Sets the number of worker and agent processes; "default" is what the settings say. For administrators. */
  async scale(
    counts: { readonly workers?: number | "default"; readonly agents?: number | "default" },
    { signal }: Wait = {},
  ): Promise<void> {
    await this.#http.json(post("/api/scale", counts, signal));
  }

  /** Uploads a picture or document; messages name it by its `file_id`. The same bytes again are the same file. */
  async upload(bytes: Blob, { name, signal }: Wait & { readonly name?: string } = {}): Promise<FileInfo> {
    const headers = { "Content-Type": "application/octet-stream" };
    return (await this.#http.json({
      method: "POST",
      path: "/api/files",
      query: { name },
      bytes,
      headers,
      signal,
    })) as FileInfo;
  }

  /** Your files, newest first, with the space that they take and the space that they may take. */
  files(query: Query<typeof LIST_FILES> = {}, wait: Wait = {}): Promise<Success<typeof LIST_FILES>> {
    return this.#list<typeof LIST_FILES>("/api/files", query, wait);
  }

  async file(fileId: string, { signal }: Wait = {}): Promise<Blob> {
    return this.#http.blob({ path: `/api/files/${encodeURIComponent(fileId)}`, signal });
  }

  async deleteFile(fileId: string, { signal }: Wait = {}): Promise<void> {
    await this.#http.json({ method: "DELETE", path: `/api/files/${encodeURIComponent(fileId)}`, signal });
  }

  threads(query: Query<typeof LIST_THREADS> = {}, wait: Wait = {}): Promise<Success<typeof LIST_THREADS>> {
    return this.#list<typeof LIST_THREADS>("/api/threads", query, wait);
  }

  /** The thread with a page of its messages; `next` is the `before` of the page of older ones. */
  async thread(
    threadId: string,
    query: Query<typeof SHOW_THREAD> = {},
    { signal }: Wait = {},
  ): Promise<Success<typeof SHOW_THREAD>> {
    const path = `/api/threads/${encodeURIComponent(threadId)}`;
    return (await this.#http.json({ path, query, signal })) as Success<typeof SHOW_THREAD>;
  }

  /** Removes the thread with its runs, events and activities. */
  async deleteThread(threadId: string, { signal }: Wait = {}): Promise<void> {
    await this.#http.json({ method: "DELETE", path: `/api/threads/${encodeURIComponent(threadId)}`, signal });
  }

  activities(query: Query<typeof READ_ACTIVITIES> = {}, wait: Wait = {}): Promise<Success<typeof READ_ACTIVITIES>> {
    return this.#list<typeof READ_ACTIVITIES>("/api/activities", query, wait);
  }

  /**
   * Posts a notice to the feed. The request is not repeated after a lost connection, because the notice could
   * be posted twice.
   */
  async notify(
    notice: z.input<(typeof POST_NOTICE)["body"]>,
    { signal }: Wait = {},
  ): Promise<Success<typeof POST_NOTICE>> {
    return (await this.#http.json({ ...post("/api/activities", notice, signal), once: true })) as Success<
      typeof POST_NOTICE
    >;
  }

  /** All processes of the server as they were a moment ago, and what it advises. Needs the role viewer or admin. */
  processes(wait: Wait = {}): Promise<Success<typeof LIST_PROCESSES>> {
    return this.#list<typeof LIST_PROCESSES>("/api/workers", {}, wait);
  }

  agents(wait: Wait = {}): Promise<Success<typeof LIST_AGENTS>> {
    return this.#list<typeof LIST_AGENTS>("/api/agents", {}, wait);
  }

  async #list<R extends Route>(path: R["path"], query: object, { signal }: Wait): Promise<Success<R>> {
    return (await this.#http.json({ path, query: query as Call["query"], signal })) as Success<R>;
  }

  #followOptions(runId: string, after: number, signal: AbortSignal | undefined) {
    const [giveUpAfterMs, silentAfterMs] = [this.#giveUpAfterMs, this.#silentAfterMs];
    return { http: this.#http, giveUpAfterMs, silentAfterMs, runId, after, signal };
  }
}

function post(path: string, body: unknown, signal: AbortSignal | undefined): Call {
  return { method: "POST", path, body, signal };
}

/** With an id that is known before the answer comes, a request can be repeated and a stream resumed. */
function named(chat: Chat): Chat & { readonly run_id: string } {
  return { ...chat, run_id: chat.run_id ?? `run_${crypto.randomUUID()}` };
}
