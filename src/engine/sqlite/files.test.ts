/** Files when their write breaks, or a write beside it. */
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { complete, save, start } from "../contract/setup.ts";
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
  const connections = { path: folder.dbPath, writing: db, reading: db };
  const files = new SqliteFiles({ connections, writer, disk: { assertRoom: () => {} } });

  await expect(save({ files }, "hello")).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });

  expect(await stored(folder)).toEqual([]);
  await save({ files }, "hello");
});

test("on a full disk no upload begins, and none that has begun is stored", async () => {
  await using data = await openTemporary();
  const { file_id: _, ...known } = await save(data.engine, "before");
  const path = join(await data.engine.files.incoming(), "upload");
  await writeFile(path, "hello");
  await fillUp(data.folder);
  const { files } = await data.another();

  await expect(files.incoming()).rejects.toMatchObject({ code: "STORAGE_FULL" });
  const late = { ...known, file_id: "file_late", sha256: "0".repeat(64), path };
  await expect(files.save(late)).rejects.toMatchObject({ code: "STORAGE_FULL" });

  expect(await stored(data.folder)).toEqual([known.sha256]);
});

test("on a full disk no thread is imported", async () => {
  await using source = await openTemporary();
  await complete(source.engine, await start(source.engine, { threadId: "thread" }));
  const dump = await source.engine.exportThread({ updated_at: 0, id: "" });
  await using data = await openTemporary();
  await fillUp(data.folder);

  if (!dump) throw new Error("There was nothing to export.");
  await expect(data.engine.importThread(dump)).rejects.toMatchObject({ code: "STORAGE_FULL" });
});

/** As if the reserve had been given up. A handle looks at most twice a second. */
function fillUp({ path }: DataFolder): Promise<void> {
  return writeFile(join(path, "reserve.spent"), "");
}

/** Resolves when the file's write waits for the lock: its folder is made just before. */
async function isWaiting({ path }: DataFolder): Promise<void> {
  await expect.poll(async () => (await readdir(join(path, "files"))).length).toBe(2);
  await setTimeout(20);
}

async function stored({ path }: DataFolder): Promise<string[]> {
  const entries = await readdir(join(path, "files"), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}
