/** A process that is killed leaves its unfinished uploads behind, which no row names. Called by `main.ts`. */
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

/** No upload under way waits this long for its next byte. */
const ABANDONED_MS = 3_600_000;
const LOOK_EACH_MS = 600_000;

export class AbandonedUploads {
  readonly #folder: string;
  #lookedAt = -Infinity;

  /** @param folder `Files.incoming`; it need not exist */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Called every second; looks every ten minutes. */
  async remove(): Promise<void> {
    if (performance.now() - this.#lookedAt < LOOK_EACH_MS) return;
    this.#lookedAt = performance.now();
    const names = await readdir(this.#folder).catch(() => []);
    for (const name of names) await removeIfAbandoned(join(this.#folder, name));
  }
}

/** An upload may end meanwhile: then its file is gone. A folder that cannot be written is told to clients that upload. */
async function removeIfAbandoned(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found && Date.now() - found.mtimeMs > ABANDONED_MS) await rm(path, { force: true }).catch(() => {});
}
