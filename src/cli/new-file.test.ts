import { open, readdir, readFile, stat, writeFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
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

test("a file is flushed to the disk before it has its name, and its name after that", async () => {
  await using folder = await makeFolder();
  const file = join(folder.path, "copy");
  const flushed: { inode: number; names: string[] }[] = [];
  await using handle = await open(folder.path);
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  const spy = vi.spyOn(prototype, "sync").mockImplementation(async function (this: FileHandle) {
    flushed.push({ inode: (await this.stat()).ino, names: await readdir(folder.path) });
  });
  using _ = { [Symbol.dispose]: () => spy.mockRestore() };

  await writeNewFile(file, (path) => writeFile(path, "all of it"));

  expect(flushed).toEqual([
    { inode: (await stat(file)).ino, names: ["copy.part"] },
    { inode: (await stat(folder.path)).ino, names: ["copy"] },
  ]);
});

test("the part of another command is not touched", async () => {
  await using folder = await makeFolder();
  const file = join(folder.path, "copy");
  const first = writeNewFile(file, async (path) => {
    await expect(writeNewFile(file, async () => {})).rejects.toThrow("copy.part is there. Another command writes it");
    await writeFile(path, "all of it");
  });

  await first;
  expect(await readFile(file, "utf8")).toBe("all of it");
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
