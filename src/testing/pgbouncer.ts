/** A real PgBouncer in front of a Postgres of a test. Leaves neither process nor file behind. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { freePort } from "./free-port.ts";
import { identity, type TestPostgres } from "./postgres.ts";
import { program } from "./program.ts";

const LOOK_MS = 20;
const START_MS = 10_000;

export interface PgBouncer extends AsyncDisposable {
  /** The database, reached through the pool. */
  readonly url: (database: string) => string;
}

/** Call it from a test that `needs("pgbouncer")`. */
export async function startPgBouncer(postgres: TestPostgres, mode: "session" | "transaction"): Promise<PgBouncer> {
  const { port: behind, username } = new URL(postgres.url());
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), "evenkeel-pgbouncer-"));
  const config = join(folder, "pgbouncer.ini");
  await chmod(folder, 0o755);
  await writeFile(
    config,
    `[databases]
     * = host=127.0.0.1 port=${behind} user=${username}
     [pgbouncer]
     listen_addr = 127.0.0.1
     listen_port = ${port}
     unix_socket_dir =
     auth_type = any
     pool_mode = ${mode}
     max_client_conn = 200
     default_pool_size = 30
    `.replaceAll(/^ +/gm, ""),
  );
  const child = spawn(program("pgbouncer"), [config], { ...identity(), stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text));
  const exited = once(child, "exit");
  const url = (database: string) => `postgres://${username}@127.0.0.1:${port}/${database}`;
  const dispose = async () => {
    // Ends it without waiting for its clients.
    child.kill("SIGTERM");
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  const startedAt = performance.now();
  while (!(await answers(url("postgres")))) {
    if (child.exitCode !== null || performance.now() - startedAt > START_MS) {
      await dispose();
      throw new Error(`PgBouncer did not start: ${log}`);
    }
    await delay(LOOK_MS);
  }
  return { url, [Symbol.asyncDispose]: dispose };
}

async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url });
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query("SELECT 1");
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}
