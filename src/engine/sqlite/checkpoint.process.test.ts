import { statSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { enqueue } from "../contract/setup.ts";
import { Forked } from "./fixtures/forked.ts";
import { openTemporary } from "./test-data.ts";

const STEADY_WRITER = new URL("./fixtures/steady-writer.ts", import.meta.url);

const MIB = 1024 * 1024;
const WRITERS = 2;
const ENOUGH_BYTES = 64 * MIB;
const MAINTAIN_EVERY_MS = 100;
const TIMEOUT_MS = 30_000;

test(
  "under steady writes the WAL begins anew again and again, in a file that is not emptied",
  async () => {
    await using data = await openTemporary();
    const { path, dbPath } = data.folder;
    await using writers = new AsyncDisposableStack();
    for (let writer = 0; writer < WRITERS; writer += 1) {
      await enqueue(data.engine);
      await writers.use(new Forked(STEADY_WRITER, path)).message();
    }

    const sizes: number[] = [];
    const deadline = performance.now() + TIMEOUT_MS;
    while (statSync(dbPath).size < ENOUGH_BYTES) {
      expect(performance.now()).toBeLessThan(deadline);
      await setTimeout(MAINTAIN_EVERY_MS);
      await data.engine.maintain();
      sizes.push(statSync(`${dbPath}-wal`).size);
    }

    expect(Math.max(...sizes)).toBeLessThan(ENOUGH_BYTES / 2);
    expect(Math.min(...sizes)).toBeGreaterThan(0);
  },
  TIMEOUT_MS + 5_000,
);
