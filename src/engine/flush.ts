/** Has the disk keep what was written: without it, a power failure may take bytes and names that a program has seen. */
import { open } from "node:fs/promises";

/** @param fileOrFolder of a folder, the names in it are kept */
export async function flush(fileOrFolder: string): Promise<void> {
  await using file = await open(fileOrFolder);
  await file.sync();
}
