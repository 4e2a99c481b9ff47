/** A process that is killed leaves its unfinished uploads behind, which no row names. Called by `main.ts`. */
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

/** No upload under way waits this long for its next byte. */
const ABANDONED_MS = 3_600_000;

/** @param folder `Files.incoming`; it need not exist */
export async function removeAbandonedUploads(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const path = join(folder, name);
    // An upload may end meanwhile: then its file is gone.
    const found = await stat(path).catch(() => undefined);
    if (found && Date.now() - found.mtimeMs > ABANDONED_MS) await rm(path, { force: true });
  }
}
