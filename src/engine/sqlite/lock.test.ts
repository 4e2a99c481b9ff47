import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { lockFolder } from "./lock.ts";

async function makeFolder() {
  const path = await mkdtemp(join(tmpdir(), "evenkeel-lock-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

test("a folder has one holder at a time, and is made when it does not exist", async () => {
  await using folder = await makeFolder();
  const path = join(folder.path, "new", "data");

  const first = lockFolder(path);
  expect(first).toBeDefined();
  expect(lockFolder(path)).toBeUndefined();
  first?.release();
  first?.release();
  const second = lockFolder(path);

  expect(second).toBeDefined();
  second?.release();
});
