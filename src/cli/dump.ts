/** `evenkeel export FILE` and `evenkeel import FILE`: threads as lines of JSON, from one storage into another of either kind. */
import { createReadStream, existsSync } from "node:fs";
import { open } from "node:fs/promises";
import type { Engine } from "../engine/engine.ts";
import { CliError } from "./connection.ts";
import { readDumpLine } from "./dump-line.ts";
import { writeNewFile } from "./new-file.ts";
import { openStorage, type StorageOptions } from "./storage.ts";

export async function exportThreads(file: string, options: StorageOptions): Promise<void> {
  await using engine = await openStorage(options);
  const threads = await writeNewFile(file, (path) => writeThreads(engine, path));
  process.stdout.write(`${file}: ${threads} threads, without files of users and without runs under way.\n`);
}

/** @returns their number */
async function writeThreads(engine: Engine, path: string): Promise<number> {
  await using target = await open(path, "a");
  let position = { updated_at: -1, id: "" };
  for (let threads = 0; ; threads += 1) {
    const dump = await engine.exportThread(position);
    if (!dump) return threads;
    // `write` may write a part only, as on a disk that is almost full.
    await target.appendFile(`${JSON.stringify(dump)}\n`);
    position = dump.thread;
  }
}

export async function importThreads(file: string, options: StorageOptions): Promise<void> {
  if (!existsSync(file)) throw new CliError(`There is no ${file}.`);
  // Read all of it first: a file that cannot be imported must not make a new storage.
  const newest = await lastLines(file);
  await using engine = await openStorage(options, true);
  const counts = { stored: 0, known: 0 };
  for await (const { dump, number } of dumpsIn(file)) {
    if (newest.get(dump.thread.id) !== number) continue;
    if (await engine.importThread(dump)) counts.stored += 1;
    else counts.known += 1;
  }
  process.stdout.write(
    `${counts.stored} threads are stored; ${counts.known} were there already, and stay as they are.\n`,
  );
}

/**
 * The line with the newest state of each thread: a thread that changed during the export was written again.
 */
async function lastLines(file: string): Promise<ReadonlyMap<string, number>> {
  const lines = new Map<string, number>();
  for await (const { dump, number } of dumpsIn(file)) lines.set(dump.thread.id, number);
  return lines;
}

/** @throws CliError that names the line: before anything of the file is stored, as all of it is read twice */
async function* dumpsIn(file: string) {
  let number = 0;
  for await (const line of linesOf(file)) {
    number += 1;
    yield { dump: readDumpLine(line, `${file}:${number}`), number };
  }
}

/** Split at line feeds alone. node:readline also splits at U+2028 and U+2029, which stand in people's texts. */
async function* linesOf(file: string): AsyncGenerator<string> {
  let begun: string[] = [];
  for await (const chunk of createReadStream(file, "utf8")) {
    const [first = "", ...others] = (chunk as string).split("\n");
    begun.push(first);
    for (const line of others) {
      yield begun.join("");
      begun = [line];
    }
  }
  const last = begun.join("");
  if (last !== "") yield last;
}
