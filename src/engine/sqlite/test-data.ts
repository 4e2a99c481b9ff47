/** Where the tests of this driver keep their data: a folder of their own, removed at the end. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import type { OpenedEngine } from "../contract/setup.ts";
import type { Engine, EngineLimits } from "../engine.ts";
import { openEngine } from "../open.ts";

const ROOMY: EngineLimits = { queued: 10_000 };

export interface DataFolder extends AsyncDisposable {
  readonly path: string;
  readonly dbPath: string;
}

export async function makeFolder(): Promise<DataFolder> {
  const path = await mkdtemp(join(tmpdir(), "evenkeel-test-"));
  return {
    path,
    dbPath: join(path, "evenkeel.db"),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true }),
  };
}

/** An engine on that folder, closed when the test ends. */
export async function openAt(dataDir: string, limits = ROOMY): Promise<Engine & AsyncDisposable> {
  const engine = await openEngine({ dataDir, durability: "normal", limits });
  return Object.assign(engine, { [Symbol.asyncDispose]: () => engine.close() });
}

export interface OpenedData extends OpenedEngine {
  readonly folder: DataFolder;
}

/** An engine on a folder of its own. Disposing it closes every other handle, too, and removes the folder. */
export async function openTemporary(limits = ROOMY): Promise<OpenedData> {
  await using opening = new AsyncDisposableStack();
  const folder = opening.use(await makeFolder());
  const engine = opening.use(await openAt(folder.path, limits));
  const owned = opening.move();
  return {
    folder,
    engine,
    another: async () => owned.use(await openAt(folder.path, limits)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Does the work in one transaction with writes behind it that break. */
export async function amongBrokenWrites<T>({ engine, folder }: OpenedData, work: () => Promise<T>): Promise<T> {
  using rival = new DatabaseSync(folder.dbPath, { timeout: 0 });
  rival.exec("BEGIN IMMEDIATE");
  // All wait for the lock.
  const working = work();
  const broken: Promise<unknown>[] = [];
  while (broken.length < 10) {
    broken.push(engine.share("broken", Symbol("no text") as never, 0).catch(String));
    await setTimeout(20);
  }
  rival.exec("COMMIT");
  for (const error of await Promise.all(broken))
    if (!String(error).includes("cannot be bound"))
      throw new Error(`Expected a write that breaks, got ${String(error)}.`);
  return await working;
}
