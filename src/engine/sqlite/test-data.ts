/** Where the tests of this driver keep their data: a folder of their own, removed at the end. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
