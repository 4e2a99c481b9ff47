import { expect, test } from "vitest";
import { assertSafeVersion, connect } from "./connection.ts";
import { makeFolder } from "./test-data.ts";

test.each(["3.7.0", "3.7.17", "3.40.1", "3.51.0", "3.51.2", "3.52.0"])(
  "SQLite %s, which can corrupt a shared WAL database, is refused with the way out",
  (version) => {
    expect(() => assertSafeVersion(version)).toThrow(
      expect.objectContaining({
        code: "STORAGE_UNAVAILABLE",
        message: expect.stringMatching(new RegExp(`SQLite ${version}, .*3\\.51\\.3 or newer`)),
      }),
    );
  },
);

test.each(["3.6.23", "3.51.3", "3.51.10", "3.52.1", "3.53.4", "4.0.0"])("SQLite %s is accepted", (version) => {
  expect(() => assertSafeVersion(version)).not.toThrow();
});

// https://sqlite.org/pragma.html#pragma_synchronous
test.each([
  { durability: "normal", synchronous: 1 },
  { durability: "full", synchronous: 2 },
] as const)("durability $durability waits for the disk as it should", async ({ durability, synchronous }) => {
  await using folder = await makeFolder();
  using db = connect({ path: folder.dbPath, durability });

  expect(db.prepare("PRAGMA synchronous").get()).toMatchObject({ synchronous });
  expect(db.prepare("PRAGMA journal_mode").get()).toMatchObject({ journal_mode: "wal" });
  expect(db.prepare("PRAGMA wal_autocheckpoint").get()).toMatchObject({ wal_autocheckpoint: 0 });
});

test("the SQLite of this Node is accepted", () => {
  expect(() => assertSafeVersion(process.versions.sqlite ?? "")).not.toThrow();
});
