/**
 * Loaded by every process of a soaked server (`node --import`, see `run.ts`): on SIGUSR2 it collects all garbage and writes down
 * what is left. No part of the product.
 */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { isMainThread } from "node:worker_threads";
import { HELD_FOLDER, heldFile, type Held } from "./held.ts";

/** V8 gives pages back in threads of its own, a moment after the collection. */
const SETTLE_MS = 200;

if (isMainThread) process.on("SIGUSR2", collect);

function collect(): void {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  // The second collection finds what only dead objects owned.
  gc();
  gc();
  setTimeout(write, SETTLE_MS);
}

function write(): void {
  const { rss, heapUsed, external } = process.memoryUsage();
  const held: Held = { at: Date.now(), rssBytes: rss, jsBytes: heapUsed + external };
  mkdirSync(HELD_FOLDER, { recursive: true });
  const file = heldFile(process.pid);
  writeFileSync(`${file}.new`, JSON.stringify(held));
  renameSync(`${file}.new`, file);
}
