/** The system under test: a real server on a storage of its own, its model, and the links between them. */
import { execFileSync } from "node:child_process";
import { appendFileSync, rmSync, statfsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startSimulator } from "../src/simulator/server.ts";
import { freePort } from "../src/testing/free-port.ts";
import { Link } from "../src/testing/link.ts";
import { makeClock, type MovedClock } from "../src/testing/moved-clock.ts";
import { TestPostgres } from "../src/testing/postgres.ts";
import { Server, type Place } from "../src/testing/server.ts";
import { Upstream } from "./upstream.ts";

export type EngineName = "sqlite" | "postgres";

const READY_MS = 120_000;
const DISK_MB = 1_024;
const POSTGRES_PORT = 5_432;

export interface Parts {
  readonly engine: EngineName;
  readonly upstream: Upstream;
  readonly clock: MovedClock;
  /** For tools to write their trace into; on another disk than the data. */
  readonly folder: string;
  /** The connection to the database. Undefined without Postgres. */
  readonly link: Link | undefined;
  /** True when the data lies on a disk that may be filled. */
  readonly hasOwnDisk: boolean;
}

export class Site implements AsyncDisposable {
  readonly parts: Parts;
  readonly place: Place;
  readonly #env: Readonly<Record<string, string>>;
  readonly #owned: AsyncDisposableStack;
  #server: Server;

  private constructor(parts: Parts, rest: { place: Place; env: Record<string, string>; owned: AsyncDisposableStack }) {
    this.parts = parts;
    this.place = rest.place;
    this.#env = rest.env;
    this.#owned = rest.owned;
    this.#server = new Server(this.place, { env: this.#env });
  }

  static async open(engine: EngineName, databaseUrl: string | undefined): Promise<Site> {
    await using opening = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), "evenkeel-chaos-"));
    opening.defer(() => rm(folder, { recursive: true, force: true }));
    const simulator = opening.use(await startSimulator());
    const upstream = opening.use(await Upstream.start(simulator.url));
    const clock = opening.use(await makeClock());
    const database = engine === "postgres" ? await openLink(opening, databaseUrl) : undefined;
    const hasOwnDisk = engine === "sqlite" && mountDisk(folder, opening);
    const place = { port: await freePort(), dataDir: join(folder, "data"), [Symbol.asyncDispose]: async () => {} };
    const env = {
      ...clock.env,
      ...(database && { DATABASE_URL: database.url }),
      CONFIG_DIR: resolve(import.meta.dirname, "config"),
      ANTHROPIC_BASE_URL: upstream.url,
      WORKERS: "3",
      AGENTS: "2",
      LOG_LEVEL: "warn",
      // The clock is set by up to two days. The deltas of runs of a moment ago would be joined then, and a journal could
      // not be compared with what its clients saw.
      RETAIN_DELTAS: "30d",
      // Some of the faults of the model last longer than this.
      MODEL_IDLE_MS: "3000",
    };
    const parts = { engine, upstream, clock, folder, link: database?.link, hasOwnDisk };
    const site = new Site(parts, { place, env, owned: opening.move() });
    try {
      await site.ready();
      return site;
    } catch (error) {
      await site[Symbol.asyncDispose]();
      throw error;
    }
  }

  get server(): Server {
    return this.#server;
  }

  async ready(): Promise<void> {
    const endsAt = performance.now() + READY_MS;
    const seen = { exit: "" };
    void this.#server.exited.then((how) => (seen.exit = `it exited with ${how.join(" ")}`));
    let answer = "";
    while (performance.now() < endsAt && seen.exit === "") {
      answer = await this.#server.client
        .get("/ready")
        .then(({ status, body }) => (status === 200 ? "ready" : `${status} ${JSON.stringify(body)}`), String);
      if (answer === "ready") return;
      await delay(100);
    }
    const { stdout, stderr } = this.#server;
    throw new Error(`The server did not get ready (${seen.exit || answer}): ${stdout.slice(-4_000)}${stderr}`);
  }

  /** Ends the primary, waits until all of it is gone, and starts it again on the same data. */
  async restart(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.#server.kill(signal);
    await this.#server.exited;
    // A process that outlived its primary holds port and folder, so the next primary waits.
    this.#server = new Server(this.place, { env: this.#env });
  }

  /** Fills the disk of the data, and empties it again. */
  fill(): () => void {
    const file = join(this.place.dataDir, "filler");
    const { bavail, bsize } = statfsSync(this.place.dataDir);
    for (let left = bavail * bsize; left >= 4_096; left = Math.floor(left / 2)) {
      try {
        appendFileSync(file, Buffer.alloc(left));
      } catch {
        // This many bytes are no longer free; the next try writes fewer.
      }
    }
    return () => rmSync(file, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
    await this.#owned.disposeAsync();
  }
}

/** Between the server and the database that is given, or one of its own. */
async function openLink(owned: AsyncDisposableStack, given: string | undefined) {
  const postgres = given === undefined ? owned.use(await TestPostgres.start()) : undefined;
  const url = new URL(given ?? postgres?.url() ?? "");
  const link = owned.use(await Link.open({ host: url.hostname, port: Number(url.port || POSTGRES_PORT) }));
  url.hostname = "127.0.0.1";
  url.port = String(link.port);
  return { link, url: url.href };
}

/** A small disk in memory for the data, which can become full. Only root may mount it. */
function mountDisk(folder: string, owned: AsyncDisposableStack): boolean {
  const dataDir = join(folder, "data");
  try {
    execFileSync("mkdir", [dataDir]);
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_MB}m,mode=700`, "tmpfs", dataDir], { stdio: "ignore" });
  } catch {
    return false;
  }
  owned.defer(() => void execFileSync("umount", ["-l", dataDir]));
  return true;
}
