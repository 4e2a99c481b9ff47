import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
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

test.runIf(process.platform === "linux")(
  "a folder that cannot be made is refused at once, however the system says so",
  () => {
    for (const folder of ["/proc/evenkeel", "/proc/evenkeel/data", "/dev/null", "/dev/null/data"])
      expect(() => lockFolder(folder)).toThrow(`DATA_DIR ${folder} cannot be used (E`);
  },
);

test("a folder whose lock file was removed is nobody's while its database is open, however often one looks", async () => {
  await using folder = await makeFolder();
  const first = lockFolder(folder.path);
  const database = new DatabaseSync(join(folder.path, "evenkeel.db"));
  database.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (a)");
  await rm(join(folder.path, "primary.lock"));

  expect(lockFolder(folder.path)).toBeUndefined();
  expect(lockFolder(folder.path)).toBeUndefined();
  database.close();
  const second = lockFolder(folder.path);

  expect(second).toBeDefined();
  first?.release();
  second?.release();
});

test("a database that came without a lock file, from a backup for example, is free", async () => {
  await using folder = await makeFolder();
  const database = new DatabaseSync(join(folder.path, "evenkeel.db"));
  database.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (a)");
  database.close();

  const lock = lockFolder(folder.path);

  expect(lock).toBeDefined();
  lock?.release();
});

test.runIf(process.platform !== "win32")(
  "a folder that every user may write to is refused, with what to do",
  async () => {
    await using folder = await makeFolder();
    await chmod(folder.path, 0o777);
    expect(() => lockFolder(folder.path)).toThrow(`chmod o-w ${folder.path}`);
    await chmod(folder.path, 0o775);
    lockFolder(folder.path)?.release();
  },
);
