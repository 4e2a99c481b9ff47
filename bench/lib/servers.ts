/**
 * The servers under measurement and their upstream: evenkeel as a real production process with a fresh data folder, and
 * the simulated model. Both are ready when the promise resolves and gone when they are disposed.
 */
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ProcessInfo } from "../../src/process/protocol.ts";
import type { Processes, Started } from "./processes.ts";
import { listenersAt, treeOf } from "./usage.ts";
import { until } from "./wait.ts";
import { freePort } from "../../src/testing/free-port.ts";

const ROOT = join(import.meta.dirname, "../..");
/** Only patience, for a machine that is busy otherwise: `startup.ts` judges how long a start takes. */
const READY_TIMEOUT_MS = 90_000;
/** Only patience, too: no request of the bench's own takes as long. */
const ANSWER_MS = 60_000;
/** In the data folder: what the server prints. */
const LOG = "server.log";
/** The model and the clients represent other machines, so they have a lower priority than the measured processes. */
export const OTHERS_NICE = 15;

export interface EvenkeelOptions {
  readonly workers: number;
  readonly agents: number;
  readonly agentConcurrency?: number;
  readonly modelUrl: string;
  readonly slowClientMs?: number;
  /** Postgres; without it the data is a file. */
  readonly databaseUrl?: string;
  /** The bus of Postgres; without it NOTIFY is the bus. */
  readonly redisUrl?: string;
  /** More settings; they come before those above. */
  readonly env?: Readonly<Record<string, string>>;
  /** The secret of a key, when `env` has API_KEYS. */
  readonly key?: string;
  /** A file descriptor that takes its log. */
  readonly output?: number;
}

export class Evenkeel implements AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  readonly #processes: Processes;
  readonly #started: Started;
  readonly #folder: string;
  #readyMs = Number.NaN;

  private constructor(processes: Processes, at: { url: string; started: Started; folder: string }) {
    this.#processes = processes;
    this.url = at.url;
    this.pid = at.started.pid;
    this.#started = at.started;
    this.#folder = at.folder;
  }

  static async start(processes: Processes, options: EvenkeelOptions): Promise<Evenkeel> {
    const port = await freePort();
    const folder = processes.folder();
    const url = `http://127.0.0.1:${port}`;
    const log = openSync(join(folder, LOG), "w");
    const startedAt = performance.now();
    const started = processes.start({
      args: [join(ROOT, "run-production.js")],
      env: environment({ ...options, port, folder }),
      output: options.output ?? log,
    });
    closeSync(log);
    const server = new Evenkeel(processes, { url, started, folder });
    try {
      await answers(`${url}/ready`, started, options.key);
      server.#readyMs = performance.now() - startedAt;
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Time from the spawn to the first 200 of GET /ready. */
  get readyMs(): number {
    return this.#readyMs;
  }

  get dataDir(): string {
    return this.#folder;
  }

  /** The whole tree, the primary first. */
  tree(): number[] {
    return treeOf(this.pid);
  }

  /** A gauge of each process of one kind that has it, as it was up to a second ago. */
  async gauges(kind: ProcessInfo["kind"], name: string): Promise<number[]> {
    const { processes } = await this.processes();
    return processes.flatMap((process) => (process.kind === kind ? (process.gauges?.[name] ?? []) : []));
  }

  async processes(): Promise<{ readonly processes: readonly ProcessInfo[] }> {
    return (await getJson(`${this.url}/api/workers`)) as { processes: ProcessInfo[] };
  }

  /** The pids of one kind, as GET /api/workers tells them. */
  async pids(kind: ProcessInfo["kind"]): Promise<number[]> {
    const ask = async () => {
      const { processes } = await this.processes();
      const pids = processes.flatMap((process) => (process.kind === kind && process.pid ? [process.pid] : []));
      return pids.length > 0 ? pids : undefined;
    };
    return until(ask, { what: `a ${kind} in /api/workers`, timeoutMs: READY_TIMEOUT_MS });
  }

  /** Processes of the tree that accept connections, the primary among them. */
  listeners(): number[] {
    return listenersAt(Number(new URL(this.url).port), this.tree());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#started.stop();
    this.#processes.keepWords(errorsIn(join(this.#folder, LOG)));
    this.#processes.removeFolder(this.#folder);
  }
}

/** Each question gets a fresh server, so that open work of one question does not burden the next. */
export async function startModel(processes: Processes): Promise<{ readonly url: string } & AsyncDisposable> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const args = [join(ROOT, "src/simulator/main.ts"), "--port", String(port), "--host", "127.0.0.1"];
  const started = processes.start({ args, nice: OTHERS_NICE });
  await answers(`${url}/sim/stats`, started);
  return { url, [Symbol.asyncDispose]: () => started.stop() };
}

export async function getJson(url: string): Promise<unknown> {
  const response = await asked("GET", url);
  if (!response.ok) throw new Error(`Expected 200 from ${url}, got ${response.status}: ${await response.text()}`);
  return response.json();
}

export async function postJson(url: string, body: object): Promise<unknown> {
  const headers = { "content-type": "application/json" };
  const response = await asked("POST", url, { headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`Expected 2xx from ${url}, got ${response.status}: ${await response.text()}`);
  return response.json();
}

/** @throws Error that names the request, when no answer comes */
async function asked(method: "GET" | "POST", url: string, more: RequestInit = {}): Promise<Response> {
  try {
    return await fetch(url, { ...more, method, signal: AbortSignal.timeout(ANSWER_MS) });
  } catch (cause) {
    throw new Error(`${method} ${url} was not answered`, { cause });
  }
}

/** The log of a server, without stacks: LOG_LEVEL lets through errors only. */
function errorsIn(file: string): string[] {
  const lines = readFileSync(file, "utf8").split("\n");
  // A server that was killed may have left half a line.
  const whole = lines.filter((line) => line.startsWith("{") && line.endsWith("}"));
  const errors = whole.map((line) => JSON.parse(line) as LogLine);
  return errors.map(({ process, msg, err }) => `${process}: ${msg}${err?.message ? ` (${err.message})` : ""}`);
}

interface LogLine {
  readonly process: string;
  readonly msg: string;
  readonly err?: { readonly message?: string };
}

interface Environment extends EvenkeelOptions {
  readonly port: number;
  readonly folder: string;
}

function environment(options: Environment): Record<string, string> {
  return {
    HOST: "127.0.0.1",
    PORT: String(options.port),
    DATA_DIR: options.folder,
    CONFIG_DIR: join(ROOT, "bench/config"),
    WORKERS: String(options.workers),
    AGENTS: String(options.agents),
    AGENT_CONCURRENCY: String(options.agentConcurrency ?? 1_000),
    MAX_QUEUED: "100000",
    SLOW_CLIENT_MS: String(options.slowClientMs ?? 10_000),
    ANTHROPIC_BASE_URL: options.modelUrl,
    LOG_LEVEL: "error",
    ...(options.databaseUrl !== undefined && { DATABASE_URL: options.databaseUrl }),
    ...(options.redisUrl !== undefined && { REDIS_URL: options.redisUrl }),
    ...options.env,
  };
}

async function answers(url: string, { child }: Started, key?: string): Promise<void> {
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const ask = async () => {
    if (child.exitCode !== null) throw new Error(`The server of ${url} ended with code ${child.exitCode}.`);
    const response = await fetch(url, { headers }).catch(() => undefined);
    await response?.arrayBuffer();
    return response?.ok ? true : undefined;
  };
  await until(ask, { what: `200 from ${url}`, timeoutMs: READY_TIMEOUT_MS, everyMs: 5 });
}
