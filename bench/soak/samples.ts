/** What each process holds and what is stored at one moment, kept in memory and written to a file. Called by `run.ts`. */
import { appendFileSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { TestPostgres } from "../../src/testing/postgres.ts";
import type { Evenkeel } from "../lib/servers.ts";
import { cpuMs } from "../lib/usage.ts";
import { until } from "../lib/wait.ts";
import { heldFile, type Held } from "./held.ts";

const PATIENCE_MS = 25_000;
const ANSWER_MS = 5_000;

export interface Sample {
  /** Since the start of the load. */
  readonly hours: number;
  /** By kind, place and pid: a replaced process is another one. */
  readonly held: ReadonlyMap<string, Held>;
  readonly storedBytes: number;
  /** Of the whole tree so far. */
  readonly cpuMs: number;
  /** How often a process was replaced so far. */
  readonly restarts: number;
}

export interface SamplesOptions {
  /** Each sample is appended to it as a line of JSON. */
  readonly file: string;
  readonly server: Evenkeel;
  readonly postgres: TestPostgres | undefined;
}

export class Samples {
  /** One per 30 seconds of the soak. */
  readonly all: Sample[] = [];
  readonly #options: SamplesOptions;

  constructor(options: SamplesOptions) {
    this.#options = options;
  }

  /** On a machine that starves, both workers may have been silent for too long and be on their way back. */
  async add(hours: number): Promise<void> {
    const ask = () => this.#take(hours).catch(() => undefined);
    const sample = await until(ask, { what: "the processes of the server", timeoutMs: PATIENCE_MS });
    this.all.push(sample);
    const line = { at: Date.now(), ...sample, held: Object.fromEntries(sample.held) };
    appendFileSync(this.#options.file, `${JSON.stringify(line)}\n`);
  }

  async #take(hours: number): Promise<Sample> {
    const { server } = this.#options;
    const { processes } = await server.processes();
    const living = processes.flatMap(({ kind, id, pid }) => (pid ? [{ name: `${kind} ${id} (pid ${pid})`, pid }] : []));
    const held = await Promise.all(living.map(async ({ name, pid }) => [name, await heldBy(pid)] as const));
    return {
      hours,
      held: new Map(held),
      storedBytes: folderBytes(server.dataDir) + (await this.#databaseBytes()),
      cpuMs: cpuMs(server.tree()),
      restarts: processes.reduce((sum, { restarts }) => sum + restarts, 0),
    };
  }

  async #databaseBytes(): Promise<number> {
    const result = await this.#options.postgres?.admin("SELECT pg_database_size(current_database()) AS bytes");
    return Number(result?.rows[0]?.bytes ?? 0);
  }
}

/** Has the process collect its garbage first. Without that, the garbage of hours would look like a leak. */
async function heldBy(pid: number): Promise<Held> {
  const askedAt = Date.now();
  process.kill(pid, "SIGUSR2");
  const look = async () => {
    const held = readHeld(pid);
    return held && held.at > askedAt ? held : undefined;
  };
  const held = await until(look, { what: `what process ${pid} holds`, timeoutMs: ANSWER_MS });
  rmSync(heldFile(pid), { force: true });
  return held;
}

function readHeld(pid: number): Held | undefined {
  try {
    return JSON.parse(readFileSync(heldFile(pid), "utf8")) as Held;
  } catch {
    // Its first answer has not come yet.
    return undefined;
  }
}

function folderBytes(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.reduce((sum, { parentPath, name }) => sum + fileBytes(join(parentPath, name)), 0);
}

function fileBytes(path: string): number {
  // The file may have been deleted since the listing.
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
