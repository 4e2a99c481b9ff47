/** Files when their write breaks, or a write beside it. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { save } from "../contract/setup.ts";
import { connect } from "./connection.ts";
import { SqliteFiles } from "./files.ts";
import { migrate } from "./schema.ts";
import { makeFolder, openTemporary, type DataFolder } from "./test-data.ts";
import { Writer } from "./writer.ts";

test("a file is stored although a write of the same transaction breaks", async () => {
  await using data = await openTemporary();
  using rival = new DatabaseSync(data.folder.dbPath, { timeout: 0 });
  rival.exec("BEGIN IMMEDIATE");
  const saving = save(data.engine, "hello");
  await isWaiting(data.folder);
  const broken = data.engine.share("broken", Symbol("no text") as never, 0);
  rival.exec("COMMIT");

  await expect(broken).rejects.toThrow("cannot be bound");
  const file = await saving;

  expect((await data.engine.files.read(file.file_id)).toString()).toBe("hello");
  expect(await stored(data.folder)).toEqual([file.sha256]);
});

test("a file whose commit fails leaves no bytes behind", async () => {
  await using folder = await makeFolder();
  using db = connect({ path: folder.dbPath, durability: "normal" });
  migrate(db);
  let isBroken = true;
  const prepare = db.prepare.bind(db);
  db.prepare = (sql) => {
    const statement = prepare(sql);
    if (sql !== "COMMIT") return statement;
    const run = statement.run.bind(statement);
    statement.run = () => {
      if (!isBroken) return run();
      isBroken = false;
      throw Object.assign(new Error("disk I/O error"), { code: "ERR_SQLITE_ERROR", errcode: 10 });
    };
    return statement;
  };
  const writer = new Writer(db, { assertSame: () => {}, giveUpReserve: () => false });
  const files = new SqliteFiles({ path: folder.dbPath, writing: db, reading: db }, writer);

  await expect(save({ files }, "hello")).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });

  expect(await stored(folder)).toEqual([]);
  await save({ files }, "hello");
});

/** Resolves when the file's write waits for the lock: its folder is made just before. */
async function isWaiting({ path }: DataFolder): Promise<void> {
  await expect.poll(async () => (await readdir(join(path, "files"))).length).toBe(2);
  await setTimeout(20);
}

async function stored({ path }: DataFolder): Promise<string[]> {
  const entries = await readdir(join(path, "files"), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}
