/** Files of users: stored once by content, found by id, bounded per principal. */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { StoredFile } from "../../core/file.ts";
import { MAX_FILES_BYTES } from "../../core/limits.ts";
import { saveBytes } from "../save-bytes.ts";
import { save, type OpenEngine } from "./setup.ts";

export function testFiles(open: OpenEngine): void {
  test("a file that was saved is found and read under its id, by every process", async () => {
    await using data = await open();
    const file = await save(data.engine, "hello");
    const other = await data.another();
    expect(await other.files.find(file.file_id)).toEqual(file);
    expect((await other.files.read(file.file_id)).toString()).toBe("hello");
  });

  test("the ranges of a file are its bytes, and there are none behind its end", async () => {
    await using data = await open();
    const { file_id: fileId } = await save(data.engine, "hello world");
    const read = async (from: number, bytes: number) =>
      (await data.engine.files.readRange(fileId, { from, bytes })).toString();
    expect([await read(0, 5), await read(5, 3), await read(8, 100)]).toEqual(["hello", " wo", "rld"]);
    expect(await read(11, 5)).toBe("");
    await data.engine.files.remove(fileId);
    await expect(read(0, 5)).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
  });

  test("the same bytes of one principal are one file, of another principal another", async () => {
    await using data = await open();
    const first = await save(data.engine, "hello");
    expect(await save(data.engine, "hello", { name: "again" })).toEqual(first);
    const other = await save(data.engine, "hello", { principal: "bob" });
    expect(other.file_id).not.toBe(first.file_id);
  });

  test("a removed file is gone, and another one with the same bytes stays", async () => {
    await using data = await open();
    const first = await save(data.engine, "hello");
    const other = await save(data.engine, "hello", { principal: "bob" });
    expect(await data.engine.files.remove(first.file_id)).toBe(true);
    expect(await data.engine.files.remove(first.file_id)).toBe(false);
    expect(await data.engine.files.find(first.file_id)).toBeUndefined();
    expect((await data.engine.files.read(other.file_id)).toString()).toBe("hello");
    await data.engine.files.remove(other.file_id);
    await expect(data.engine.files.read(other.file_id)).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    expect((await data.engine.files.read((await save(data.engine, "hello")).file_id)).toString()).toBe("hello");
  });

  test("a principal's files are listed in pages, the one stored last first, with what they all take", async () => {
    await using data = await open();
    const saved: StoredFile[] = [];
    for (const text of ["a", "bb", "ccc", "dddd", "eeeee"]) saved.push(await save(data.engine, text));
    await save(data.engine, "another's", { principal: "bob" });
    const [removed] = saved.splice(2, 1);
    await data.engine.files.remove(removed?.file_id ?? "");
    await save(data.engine, "a", { name: "again" });
    const other = await data.another();
    const filter = { principal: "ana", limit: 2 };

    const first = await other.files.list(filter);
    const second = await other.files.list({ ...filter, ...(first.next !== null && { before: first.next }) });

    expect([...first.items, ...second.items]).toEqual(saved.toReversed());
    expect([first.items.length, first.bytes, second.bytes]).toEqual([2, 12, 12]);
    expect(await other.files.list({ ...filter, before: second.next ?? 0 })).toEqual({
      items: [],
      next: null,
      bytes: 12,
    });
    expect(await other.files.list({ ...filter, limit: 10 })).toMatchObject({ items: saved.toReversed(), next: null });
    expect(await other.files.list({ ...filter, principal: "cat" })).toEqual({ items: [], next: null, bytes: 0 });
  });

  test("a principal's files are bounded, and another's are not counted", async () => {
    await using data = await open();
    await save(data.engine, "a", { bytes: MAX_FILES_BYTES });
    const message = expect.stringContaining("GET /api/files lists them");
    await expect(save(data.engine, "b")).rejects.toMatchObject({ code: "FILES_FULL", message });
    await save(data.engine, "b", { principal: "bob" });
  });

  test("a folder for uploads that cannot be used is trouble of the storage", async () => {
    await using data = await open();
    const { files } = data.engine;
    const file = await save(data.engine, "hello");
    const folder = await files.incoming();
    await rm(folder, { recursive: true });
    await writeFile(folder, "not a folder");

    const about = { principal: "ana", name: "notes.txt", mediaType: "text/plain" } as const;
    const trouble = { code: "STORAGE_UNAVAILABLE", retryAfterS: 5 };
    await expect(files.incoming()).rejects.toMatchObject(trouble);
    await expect(saveBytes(files, Buffer.from("hello"), about)).rejects.toMatchObject(trouble);
    await expect(files.save({ ...file, path: join(folder, "upload") })).rejects.toMatchObject(trouble);
    const alike = { ...files, incoming: async () => folder };
    await expect(saveBytes(alike, Buffer.from("hello"), about)).rejects.toMatchObject(trouble);
  });
}
