/** Files when their write breaks, or a write beside it. */
import { mkdir, open, readdir, rm, stat, writeFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { complete, save, start } from "../contract/setup.ts";
import { connect } from "./connection.ts";
import { SqliteFiles } from "./files.ts";
import { migrate } from "./schema.ts";
import { amongBrokenWrites, makeFolder, openTemporary, type DataFolder } from "./test-data.ts";
import { Writer } from "./writer.ts";

/** https://sqlite.org/fileformat2.html#walformat */
const LOG_HEADER_BYTES = 32;

test("a file is stored although a write of the same transaction breaks", async () => {
  await using data = await openTemporary();
  const file = await amongBrokenWrites(data, () => save(data.engine, "hello"));

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

test("the bytes of a file and their name are flushed to the disk before the file's row is there", async () => {
  await using data = await openTemporary();
  const prototype = await prototypeOfHandles(data.folder);
  const { sync } = prototype;
  const flushed: { inode: number; files: number }[] = [];
  const spy = vi.spyOn(prototype, "sync").mockImplementation(async function (this: FileHandle) {
    const { items } = await data.engine.files.list({ principal: "ana", limit: 10 });
    flushed.push({ inode: (await this.stat()).ino, files: items.length });
    await sync.call(this);
  });
  using _ = { [Symbol.dispose]: () => spy.mockRestore() };

  const { sha256 } = await save(data.engine, "hello");

  const top = join(data.folder.path, "files");
  const folder = join(top, sha256.slice(0, 2));
  for (const path of [join(folder, sha256), folder, top, data.folder.path])
    expect(flushed).toContainEqual({ inode: (await stat(path)).ino, files: 0 });
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

test("a file's row that cannot be read is trouble of the storage, not a fault of ours", async () => {
  await using data = await openTemporary();
  const { file_id: fileId } = await save(data.engine, "hello");
  const log = await open(`${data.folder.dbPath}-wal`, "r+");
  await log.write(Buffer.alloc((await log.stat()).size - LOG_HEADER_BYTES), 0, undefined, LOG_HEADER_BYTES);
  await log.close();
  const { files } = data.engine;

  const trouble = { code: "STORAGE_UNAVAILABLE" };
  await expect(files.list({ principal: "ana", limit: 10 })).rejects.toMatchObject(trouble);
  await expect(files.find(fileId)).rejects.toMatchObject(trouble);
  await expect(files.read(fileId)).rejects.toMatchObject(trouble);
  await expect(files.readRange(fileId, { from: 0, bytes: 5 })).rejects.toMatchObject(trouble);
});

test("a file whose bytes are gone is not found, and one whose bytes cannot be read is trouble of the storage", async () => {
  await using data = await openTemporary();
  const { file_id: fileId, sha256 } = await save(data.engine, "hello");
  const { files } = data.engine;
  const place = join(data.folder.path, "files", sha256.slice(0, 2), sha256);
  const reads = [() => files.read(fileId), () => files.readRange(fileId, { from: 0, bytes: 5 })];
  await rm(place);
  for (const read of reads) await expect(read()).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
  await mkdir(place);
  for (const read of reads) await expect(read()).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
});

/** As if the reserve had been given up. A handle looks at most twice a second. */
function fillUp({ path }: DataFolder): Promise<void> {
  return writeFile(join(path, "reserve.spent"), "");
}

async function prototypeOfHandles({ dbPath }: DataFolder): Promise<FileHandle> {
  await using handle = await open(dbPath);
  return Object.getPrototypeOf(handle) as FileHandle;
}

async function stored({ path }: DataFolder): Promise<string[]> {
  const entries = await readdir(join(path, "files"), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}
