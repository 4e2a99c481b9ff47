/**
 * A real Redis of a test's own: on a free port of the loopback interface, with nothing on disk. Start it only in tests
 * that `needs("redis-server")` lets through.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Certificates } from "./certificates.ts";
import { freePort } from "./free-port.ts";
import { program } from "./program.ts";

const LOOK_MS = 10;
const START_MS = 10_000;

export interface RedisOptions {
  /** More settings of the server, `["--requirepass", "secret"]`. */
  readonly settings?: readonly string[];
  /** It then speaks TLS only, as "localhost". */
  readonly tls?: Certificates;
  /** False: only its port is chosen. */
  readonly isRunning?: boolean;
}

export class TestRedis implements AsyncDisposable {
  readonly port: number;
  readonly #settings: readonly string[];
  readonly #isTls: boolean;
  #server: ChildProcess | undefined;

  private constructor(port: number, { settings = [], tls }: RedisOptions) {
    this.port = port;
    this.#settings = [...(tls ? tlsOf(port, tls) : ["--port", String(port)]), ...settings];
    this.#isTls = tls !== undefined;
  }

  static async start(options: RedisOptions = {}): Promise<TestRedis> {
    const { isRunning = true } = options;
    const server = new TestRedis(await freePort(), options);
    try {
      if (isRunning) await server.run();
      return server;
    } catch (error) {
      await server.kill();
      throw error;
    }
  }

  /** For REDIS_URL. */
  get url(): string {
    return this.#isTls ? `rediss://localhost:${this.port}` : `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it, again after `kill`. */
  async run(): Promise<void> {
    const args = ["--bind", "127.0.0.1", "--save", "", ...this.#settings];
    const server = spawn(program("redis-server"), args, { stdio: ["ignore", "pipe", "ignore"] });
    this.#server = server;
    let log = "";
    server.stdout.setEncoding("utf8").on("data", (text: string) => (log += text));
    const startedAt = performance.now();
    while (!(await isListening(this.port))) {
      if (server.exitCode !== null || performance.now() - startedAt > START_MS)
        throw new Error(`Redis did not start: ${log}`);
      await delay(LOOK_MS);
    }
  }

  /** It stops in the middle of its work, and its connections stay open. */
  hang(): void {
    this.#server?.kill("SIGSTOP");
  }

  goOn(): void {
    this.#server?.kill("SIGCONT");
  }

  /** Idempotent. */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, "exit");
    server.kill("SIGKILL");
    await exited;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

function tlsOf(port: number, { certificate, key }: Certificates): string[] {
  const files = ["--tls-cert-file", certificate, "--tls-key-file", key];
  return ["--port", "0", "--tls-port", String(port), ...files, "--tls-auth-clients", "no"];
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  return promise.finally(() => socket.destroy());
}
