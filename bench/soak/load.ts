/**
 * The load of a soak: lanes, each of which repeats one kind of use with pauses, so that all of them together take about a
 * tenth of a core. Called by `run.ts`.
 */
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import { Evenkeel, EvenkeelError } from "../../src/client/client.ts";
import { seeded } from "../../src/testing/random.ts";

const AGENT = { agent_id: "chaos" } as const;
const WORDS = "/sim ttft=20 tokens=30 rate=40";
const TOOLS = ["thread", "process", "inline"].flatMap((isolation) =>
  ["pure", "idempotent", "unsafe"].map((effects) => `${effects}_${isolation}`),
);
const PAGES = [
  "/",
  "/health",
  "/metrics",
  "/api/workers",
  "/api/runs",
  "/api/threads",
  "/api/activities",
  "/api/usage",
  "/api/agents",
];
const TURNS = 5;
const SOCKET_MS = 20_000;
const FILE_BYTES = 100_000;
const SHOWN = 5;

export class SoakLoad {
  failures = 0;
  readonly #client: Evenkeel;
  readonly #url: string;
  readonly #random = seeded(1);
  readonly #stopping = new AbortController();
  readonly #lanes: Promise<void>[] = [];
  readonly #counts = new Map<string, number>();
  /** The first few reasons. */
  readonly #reasons: string[] = [];

  constructor(url: string) {
    this.#url = url;
    this.#client = new Evenkeel({ baseUrl: url });
  }

  start(): void {
    this.#lane("conversations", 4_000, () => this.#converse());
    this.#lane("streams", 3_000, () => this.#stream());
    this.#lane("tools", 6_000, () => this.#useTools());
    this.#lane("sockets", 3_000, () => this.#watch());
    this.#lane("files", 10_000, () => this.#upload());
    this.#lane("pages", 2_000, () => this.#poll());
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#lanes);
  }

  summary(): string {
    const counts = [...this.#counts].map(([name, count]) => `${count} ${name}`).join(", ");
    return [`load: ${counts}; ${this.failures} failed`, ...this.#reasons].join("\n");
  }

  #lane(name: string, pauseMs: number, use: () => Promise<void>): void {
    const repeat = async () => {
      while (!this.#stopping.signal.aborted) {
        await use().catch((error: unknown) => this.#fail(name, error));
        this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
        const ms = pauseMs / 2 + this.#random(pauseMs);
        await delay(ms, undefined, { signal: this.#stopping.signal }).catch(() => {});
      }
    };
    this.#lanes.push(repeat());
  }

  #fail(name: string, error: unknown): void {
    this.failures += 1;
    if (this.#reasons.length < SHOWN) this.#reasons.push(`failed: ${name}: ${String(error)}`);
  }

  /** Some turns of one thread; every third thread is deleted, the rest is left to retention. */
  async #converse(): Promise<void> {
    let threadId: string | undefined;
    for (let turn = 0; turn < TURNS; turn += 1) {
      const reply = await this.#client.chat({ ...AGENT, message: WORDS, ...(threadId && { thread_id: threadId }) });
      threadId = reply.thread_id;
    }
    if (threadId && this.#random(3) === 0) await this.#client.deleteThread(threadId);
  }

  /** Half of the streams are left in the middle; of these, half are resumed, and the other half canceled. */
  async #stream(): Promise<void> {
    const runId = `run_${crypto.randomUUID()}`;
    const leaveAfter = this.#random(2) === 0 ? 5 : Number.POSITIVE_INFINITY;
    let seen = 0;
    for await (const _event of this.#client.stream({ ...AGENT, run_id: runId, message: WORDS })) {
      seen += 1;
      if (seen >= leaveAfter) break;
    }
    if (seen < leaveAfter) return;
    if (this.#random(2) === 0) for await (const _event of this.#client.follow(runId, { after: seen })) continue;
    else await this.#client.cancel(runId).catch(ignoreFinished);
  }

  async #useTools(): Promise<void> {
    const calls = Array.from({ length: 3 }, () => {
      const tool = TOOLS[this.#random(TOOLS.length)] ?? "";
      return `tool=${tool} input=${JSON.stringify({ file: "/dev/null", ms: 10 + this.#random(200) })}`;
    });
    await this.#client.chat({ ...AGENT, message: `${WORDS} ${calls.join(" ")}` });
  }

  /** A dashboard's socket: two feeds for a while, and a run from its beginning to its end. */
  async #watch(): Promise<void> {
    const { run_id: runId } = await this.#client.begin({ ...AGENT, message: WORDS });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const socket = new WebSocket(`${this.#url.replace("http", "ws")}/ws`);
    const feeds = [{ channel: "activities" }, { channel: "processes" }, { channel: "run", run_id: runId, after: 0 }];
    socket.on("open", () => {
      for (const [id, feed] of feeds.entries())
        socket.send(JSON.stringify({ op: "subscribe", id: String(id), ...feed }));
    });
    let isDone = false;
    socket.on("message", (frame: Buffer) => (isDone ||= frame.includes('"done":true')));
    socket.on("error", reject);
    const timer = setTimeout(() => {
      socket.close();
      if (isDone) resolve();
      else reject(new Error(`The socket did not tell the end of ${runId}.`));
    }, SOCKET_MS);
    await promise.finally(() => {
      clearTimeout(timer);
      socket.terminate();
    });
  }

  async #upload(): Promise<void> {
    const bytes = new Blob([`${crypto.randomUUID()}\n`.repeat(Math.ceil(FILE_BYTES / 37))]);
    const { file_id: fileId } = await this.#client.upload(bytes, { name: "notes.txt" });
    const source = { type: "file", file_id: fileId } as const;
    await this.#client.chat({
      ...AGENT,
      message: [
        { type: "text", text: WORDS },
        { type: "document", source },
      ],
    });
    await (await this.#client.file(fileId)).arrayBuffer();
    await this.#client.deleteFile(fileId);
  }

  async #poll(): Promise<void> {
    for (const path of PAGES) {
      const response = await fetch(this.#url + path);
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`${response.status} of ${path}`);
    }
  }
}

/** The run was over before the cancel came. */
function ignoreFinished(error: unknown): void {
  if (!(error instanceof EvenkeelError)) throw error;
}
