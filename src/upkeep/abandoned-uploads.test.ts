import { mkdtempDisposable, readdir, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { AbandonedUploads } from "./abandoned-uploads.ts";

async function makeUpload(folder: string, name: string, minutesAgo: number): Promise<void> {
  const path = join(folder, name);
  await writeFile(path, "bytes");
  await utimes(path, new Date(), new Date(Date.now() - minutesAgo * 60_000));
}

test("an upload that got no byte for an hour is removed, one under way stays", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "evenkeel-incoming-"));
  await makeUpload(folder.path, "killed", 61);
  await makeUpload(folder.path, "slow", 59);
  await new AbandonedUploads(folder.path).remove();
  expect(await readdir(folder.path)).toEqual(["slow"]);
});

test("uploads are looked at again every ten minutes, so that a server may run for ever", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => void vi.useRealTimers());
  await using folder = await mkdtempDisposable(join(tmpdir(), "evenkeel-incoming-"));
  const uploads = new AbandonedUploads(folder.path);
  await uploads.remove();
  await makeUpload(folder.path, "killed", 61);

  vi.advanceTimersByTime(599_999);
  await uploads.remove();
  expect(await readdir(folder.path)).toEqual(["killed"]);
  vi.advanceTimersByTime(1);
  await uploads.remove();
  expect(await readdir(folder.path)).toEqual([]);
});

test("a server that never had an upload has no such folder", async () => {
  const uploads = new AbandonedUploads(join(tmpdir(), crypto.randomUUID()));
  await expect(uploads.remove()).resolves.toBeUndefined();
});
