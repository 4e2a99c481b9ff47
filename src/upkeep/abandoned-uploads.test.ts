import { mkdtempDisposable, readdir, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { removeAbandonedUploads } from "./abandoned-uploads.ts";

test("an upload that got no byte for an hour is removed, one under way stays", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "evenkeel-incoming-"));
  for (const [name, minutesAgo] of [["killed", 61] as const, ["slow", 59] as const]) {
    const path = join(folder.path, name);
    await writeFile(path, "bytes");
    await utimes(path, new Date(), new Date(Date.now() - minutesAgo * 60_000));
  }
  await removeAbandonedUploads(folder.path);
  expect(await readdir(folder.path)).toEqual(["slow"]);
});

test("a server that never had an upload has no such folder", async () => {
  await expect(removeAbandonedUploads(join(tmpdir(), crypto.randomUUID()))).resolves.toBeUndefined();
});
