/**
 * A file that a command writes: for this user only, never in the place of another one, and either whole or not there. Called
 * by `backup` and `export`.
 */
import { existsSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { flush } from "../engine/flush.ts";
import { isFull } from "../engine/sqlite/connection.ts";
import { CliError } from "./connection.ts";

/**
 * @param write is given the path of an empty file, which gets its name once all is written: a part of a copy must not
 * look like a copy
 * @throws CliError when there is such a file already, or it cannot be made
 */
export async function writeNewFile<T>(file: string, write: (path: string) => Promise<T>): Promise<T> {
  if (file === "") throw new CliError("Expected the name of a file, got an empty text.");
  if (existsSync(file)) throw new CliError(`${file} is there already; name another file.`);
  const part = `${resolve(file)}.part`;
  await makeEmpty(part, file);
  try {
    const written = await write(part);
    // People delete the source of a copy.
    await flush(part);
    await rename(part, file);
    await flush(dirname(part));
    return written;
  } catch (error) {
    await rm(part, { force: true });
    throw isFull(error)
      ? new CliError(`There is no room for ${file} on its disk; name a file on another disk.`, { cause: error })
      : error;
  }
}

async function makeEmpty(part: string, file: string): Promise<void> {
  try {
    const made = await open(part, "wx", 0o600);
    await made.close();
  } catch (cause) {
    const { code = String(cause) } = cause as NodeJS.ErrnoException;
    if (code === "EEXIST")
      throw new CliError(
        `${part} is there. Another command writes it, or a killed one has left it: delete it in that case, or name another file.`,
        { cause },
      );
    throw new CliError(`${file} cannot be written (${code}); name a file in a folder that you may write to.`, {
      cause,
    });
  }
}
