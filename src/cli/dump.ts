/** `evenkeel export FILE` and `evenkeel import FILE`: threads as lines of JSON, from one storage into another of either kind. */
import { createReadStream, existsSync } from "node:fs";
import { open } from "node:fs/promises";
import { createInterface } from "node:readline";
import { CliError } from "./connection.ts";
import { readDumpLine } from "./dump-line.ts";
import { openStorage, type StorageOptions } from "./storage.ts";

export async function exportThreads(file: string, options: StorageOptions): Promise<void> {
  if (existsSync(file)) throw new CliError(`${file} is there already; name another file.`);
  await using engine = await openStorage(options);
  // What people said is for this user's eyes.
  await using target = await open(file, "wx", 0o600);
  let position = { updated_at: -1, id: "" };
  let threads = 0;
  for (;;) {
    const dump = await engine.exportThread(position);
    if (!dump) break;
    await target.write(`${JSON.stringify(dump)}\n`);
    position = dump.thread;
    threads += 1;
  }
  process.stdout.write(`${file}: ${threads} threads, without files of users and without runs under way.\n`);
}

export async function importThreads(file: string, options: StorageOptions): Promise<void> {
  if (!existsSync(file)) throw new CliError(`There is no ${file}.`);
  await using engine = await openStorage(options, true);
  const counts = { stored: 0, known: 0 };
  let number = 0;
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    number += 1;
    if (await engine.importThread(readDumpLine(line, `${file}:${number}`))) counts.stored += 1;
    else counts.known += 1;
  }
  process.stdout.write(
    `${counts.stored} threads are stored; ${counts.known} were there already, and stay as they are.\n`,
  );
}
