/** Makes folders that only the user of the server may look into: for DATA_DIR, and for uploads below it. */
import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

const PRIVATE_FOLDER = 0o700;

/**
 * Makes the folder, and those above it. Node's own `recursive` never returns where a folder that exists takes no new ones and
 * says that they do not exist, as `/proc` does. @throws the error of the system
 */
export function makePrivateFolder(folder: string): void {
  if (isFolder(folder)) return;
  const above = dirname(folder);
  // A drive that is missing is above itself.
  if (above !== folder) makePrivateFolder(above);
  try {
    mkdirSync(folder, { mode: PRIVATE_FOLDER });
  } catch (error) {
    // Another process may have made it.
    if (!isFolder(folder)) throw error;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
