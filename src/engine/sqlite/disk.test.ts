/** The reserve. On a disk that is full: disk.process.test.ts. */
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { Disk } from "./disk.ts";
import { makeFolder } from "./test-data.ts";

const RESERVE_BYTES = 8 * 1024 * 1024;
const STORAGE_FULL = expect.objectContaining({ code: "STORAGE_FULL" });

test("the reserve is given up once, with its bytes, and from then on there is no room", async () => {
  await using folder = await makeFolder();
  const disk = new Disk(folder.dbPath);
  await disk.keepReserve();
  disk.assertRoom();

  expect(disk.giveUpReserve()).toBe(true);

  expect(() => disk.assertRoom()).toThrow(STORAGE_FULL);
  expect(statSync(join(folder.path, "reserve.spent")).size).toBe(0);
  // Another process that found the disk full at that moment may try again, too.
  expect(new Disk(folder.dbPath).giveUpReserve()).toBe(true);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 1_000 });
  onTestFinished(() => void vi.useRealTimers());
  expect(disk.giveUpReserve()).toBe(false);
});

test("where there was no reserve, none is given up", async () => {
  await using folder = await makeFolder();
  const disk = new Disk(folder.dbPath);

  expect(disk.giveUpReserve()).toBe(false);
  disk.assertRoom();
});

test("the reserve is made again when there is room, and can be given up again", async () => {
  await using folder = await makeFolder();
  const disk = new Disk(folder.dbPath);
  await disk.keepReserve();
  disk.giveUpReserve();

  await disk.keepReserve();

  expect(statSync(join(folder.path, "reserve")).size).toBe(RESERVE_BYTES);
  disk.assertRoom();
  expect(disk.giveUpReserve()).toBe(true);
  expect(() => disk.assertRoom()).toThrow(STORAGE_FULL);
});

test.each([
  ["half-way", 13],
  ["before the spent one is removed", RESERVE_BYTES],
])("a reserve whose making was killed %s is whole with the next try, and there is room again", async (_when, bytes) => {
  await using folder = await makeFolder();
  const disk = new Disk(folder.dbPath);
  await disk.keepReserve();
  disk.giveUpReserve();
  writeFileSync(join(folder.path, "reserve"), Buffer.alloc(bytes));

  await disk.keepReserve();

  disk.assertRoom();
  expect(statSync(join(folder.path, "reserve")).size).toBe(RESERVE_BYTES);
});
