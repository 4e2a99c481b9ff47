/**
 * The real thing: `node run-production` or `run-dev` as an operator starts it, with processes, signals and a
 * port of its own. After the test nothing is left: no process, and the port is free.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ProcessInfo } from "../process/protocol.ts";
import { Client } from "./client.ts";
import { aliveOf, descendantsOf } from "./processes.ts";
import { freePort } from "./free-port.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const LOOK_MS = 25;
/** Beside a browser with eight busy pages, on two slow cores, a start took more than 15 s. */
const GIVE_UP_MS = 40_000;
const EXIT_MS = 8_000;

export interface ServerOptions {
  readonly entry?: "run-production" | "run-dev";
  /** The Node that starts the server; by default the one that runs the tests. */
  readonly node?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The secret of the only API key that it knows; its client sends it. */
  readonly key?: string;
  /** A file descriptor that takes its output instead of `stdout` below. */
  readonly output?: number;
}

/** Its folder and port on this machine; a server that is started there again continues with the data. */
export interface Place extends AsyncDisposable {
  readonly port: number;
  readonly dataDir: string;
}

export async function makePlace(): Promise<Place> {
  const dataDir = await mkdtemp(join(tmpdir(), "evenkeel-server-"));
  const port = await freePort();
  return { port, dataDir, [Symbol.asyncDispose]: () => rm(dataDir, { recursive: true, force: true }) };
}

export class Server implements AsyncDisposable {
  readonly client: Client;
  readonly pid: number;
  readonly port: number;
  readonly dataDir: string;
  stdout = "";
  stderr = "";
  /** Code and signal, once it is gone. */
  readonly exited: Promise<readonly [code: number | null, signal: NodeJS.Signals | null]>;
  readonly #child: ChildProcess;

  /** Starts it and waits for nothing. */
  constructor(
    { port, dataDir }: Place,
    { entry = "run-production", node = process.execPath, env = {}, key, output }: ServerOptions = {},
  ) {
    this.port = port;
    this.dataDir = dataDir;
    const isGuarded = key !== undefined;
    this.client = new Client(`http://127.0.0.1:${port}`, isGuarded ? { Authorization: `Bearer ${key}` } : {});
    const settings = { HOST: "127.0.0.1", PORT: String(port), DATA_DIR: dataDir, WORKERS: "2", AGENTS: "1" };
    this.#child = spawn(node, [entry], {
      cwd: ROOT,
      env: { ...cleanEnv(), ...settings, ...(isGuarded && { API_KEYS: `test:${key}` }), ...env },
      stdio: ["pipe", output ?? "pipe", "pipe"],
    });
    this.pid = this.#child.pid ?? 0;
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.exited = once(this.#child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  }

  /** Resolves with the exit code of a server that is expected to end by itself. @param withinMs see `ready` */
  async exitCode(withinMs = EXIT_MS): Promise<number | null> {
    const stop = new AbortController();
    // A server that does not end must fail the test before the test's own time limit; otherwise the server would be
    // left running.
    const tooLate = delay(withinMs, undefined, { signal: stop.signal }).then(() => {
      throw new Error(`It did not exit: ${this.stdout}\n${this.stderr}`);
    });
    try {
      const [code] = await Promise.race([this.exited, tooLate]);
      return code;
    } finally {
      stop.abort();
      tooLate.catch(() => {});
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** @param withinMs more than usual where several servers share the cores with a load */
  async ready(withinMs = GIVE_UP_MS): Promise<this> {
    const startedAt = performance.now();
    while (!(await this.#isReady())) {
      if (this.#child.exitCode !== null || performance.now() - startedAt > withinMs) {
        // The test may not have got the server yet, so nobody else would end it.
        this.#child.kill("SIGKILL");
        throw new Error(`It did not get ready: ${this.stdout}\n${this.stderr}`);
      }
      await delay(LOOK_MS);
    }
    return this;
  }

  /** What GET /api/workers says of this server's processes of one kind. */
  async processes(kind: ProcessInfo["kind"]): Promise<ProcessInfo[]> {
    const { body } = await this.client.get("/api/workers");
    const own = (body["processes"] as ProcessInfo[]).filter(({ machine }) => machine === body["machine"]);
    return own.filter((process) => process.kind === kind);
  }

  /** Lines of the log, which is JSON in production. */
  logLines(): Record<string, unknown>[] {
    const lines = this.stdout.split("\n").filter((line) => line.startsWith("{"));
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  async #isReady(): Promise<boolean> {
    return this.client.get("/ready").then(
      ({ status }) => status === 200,
      () => false,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const family = [this.pid, ...descendantsOf(this.pid)];
    this.kill("SIGKILL");
    await this.exited;
    const startedAt = performance.now();
    while (aliveOf(family).length > 0) {
      if (performance.now() - startedAt > 5_000) throw new Error(`Still alive: ${aliveOf(family).join(", ")}`);
      await delay(LOOK_MS);
    }
    await assertFree(this.port);
  }
}

/** A server that serves, on a place of its own. */
export async function startServer(options: ServerOptions = {}): Promise<Server & AsyncDisposable> {
  const place = await makePlace();
  const server = new Server(place, options);
  const dispose = server[Symbol.asyncDispose].bind(server);
  server[Symbol.asyncDispose] = async () => {
    await dispose();
    await place[Symbol.asyncDispose]();
  };
  try {
    return await server.ready();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** Keeps the test runner's variables and a real model's key away from the server. */
function cleanEnv(): Record<string, string> {
  const { PATH = "", HOME = "", TMPDIR = "/tmp" } = process.env;
  return { PATH, HOME, TMPDIR };
}

async function assertFree(port: number): Promise<void> {
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  server.close();
  await once(server, "close");
}
