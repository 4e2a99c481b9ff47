import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeFolder } from "../engine/sqlite/test-data.ts";
import { writeNewFile } from "./new-file.ts";

test("a file has its name once it is whole, and only its user may read it", async () => {
  await using folder = await makeFolder();
  const file = join(folder.path, "copy");

  await writeNewFile(file, async (path) => {
    expect(await readdir(folder.path)).toEqual(["copy.part"]);
    await writeFile(path, "all of it");
  });

  expect(await readFile(file, "utf8")).toBe("all of it");
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  await expect(writeNewFile(file, async () => {})).rejects.toThrow("is there already");
});

test("what could not be written to its end leaves nothing, and names its disk when that is full", async () => {
  await using folder = await makeFolder();
  const file = join(folder.path, "copy");
  const failing = (error: Error) =>
    writeNewFile(file, async () => {
      throw error;
    });

  await expect(failing(Object.assign(new Error("ENOSPC"), { code: "ENOSPC", syscall: "write" }))).rejects.toThrow(
    `There is no room for ${file}`,
  );
  await expect(failing(new Error("a corrupt source"))).rejects.toThrow("a corrupt source");
  expect(await readdir(folder.path)).toEqual([]);
});

test.each(["", "nowhere/copy"])("a name that cannot be written, %j, is refused in words", async (name) => {
  await expect(writeNewFile(name, async () => {})).rejects.toThrow(/Expected the name|cannot be written \(ENOENT\)/);
});
