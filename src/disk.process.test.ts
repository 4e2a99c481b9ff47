/**
 * B6 and B8: a disk that is full, at the start and under way, and a database file that is removed. The small disk is a
 * real file system in memory; mounting it needs root and Linux.
 */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test, vi } from "vitest";
import { complete, start } from "./engine/contract/setup.ts";
import { openTemporary } from "./engine/sqlite/test-data.ts";
import { evenkeel } from "./testing/command.ts";
import { freePort } from "./testing/free-port.ts";
import { makePlace, Server, type Place } from "./testing/server.ts";

const PATIENCE = { timeout: 15_000, interval: 100 };
const RESERVE_BYTES = 8 * 1024 * 1024;
const canMount = process.platform === "linux" && process.getuid?.() === 0;
if (!canMount) process.stderr.write("NOT TESTED: a full disk, as only root may mount a small one\n");

/** A server's place on a disk of its own. */
async function makeSmallDisk(megabytes: number): Promise<Place> {
  const mountPoint = await mkdtemp(join(tmpdir(), "evenkeel-disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", mountPoint]);
  const dispose = async () => {
    execFileSync("umount", ["-l", mountPoint]);
    await rm(mountPoint, { recursive: true });
  };
  return { port: await freePort(), dataDir: join(mountPoint, "data"), [Symbol.asyncDispose]: dispose };
}

/** Writes until the disk is full. */
function fillUp(dataDir: string): string {
  const file = join(dataDir, "..", "filler");
  const { bavail, bsize } = statfsSync(dataDir);
  for (let left = bavail * bsize; left >= 4_096; left = Math.floor(left / 2)) {
    try {
      writeFileSync(file, Buffer.alloc(left, 1), { flag: "a" });
    } catch {
      // This many bytes do not fit: try fewer.
    }
  }
  return file;
}

/** Chats until one is refused for want of room. */
async function chatUntilFull({ client }: Server): Promise<void> {
  await vi.waitFor(async () => {
    const { status } = await client.chat(`/sim tokens=1 ${"x".repeat(200_000)}`);
    expect(status).toBe(507);
  }, PATIENCE);
}

test.runIf(canMount)(
  "on a full disk chats are refused, cancel and delete work, /ready and one line of the log say so, and it recovers by itself",
  async () => {
    await using disk = await makeSmallDisk(40);
    await using server = await new Server(disk, { env: { LOG_LEVEL: "warn" } }).ready();
    await vi.waitFor(() => expect(statSync(join(disk.dataDir, "reserve")).size).toBe(RESERVE_BYTES), PATIENCE);
    const { body: old } = await server.client.chat("/sim tokens=3", { thread_id: "old" });
    const running = await server.client.begin("/sim tokens=100000 rate=5");
    const filler = fillUp(disk.dataDir);
    await chatUntilFull(server);

    const startedAt = performance.now();
    expect((await server.client.get("/health")).status).toBe(200);
    expect(performance.now() - startedAt).toBeLessThan(500);
    const ready = await server.client.get("/ready");
    expect(ready).toMatchObject({ status: 503, body: { checks: { storage: expect.stringContaining("is full") } } });
    expect((await server.client.get(`/api/runs/${old.run_id}`)).status).toBe(200);
    expect((await server.client.post(`/api/runs/${running}/cancel`)).status).toBeLessThan(300);
    await vi.waitFor(async () => {
      const { body } = await server.client.get(`/api/runs/${running}`);
      expect(body["status"]).toBe("canceled");
    }, PATIENCE);
    expect((await server.client.ask("/api/threads/old", { method: "DELETE" })).status).toBe(204);
    const said = server.logLines().filter(({ code }) => code === "STORAGE_FULL");
    expect(said.length).toBeGreaterThan(0);
    // At most one line for each process.
    expect(said.length).toBeLessThanOrEqual(4);

    unlinkSync(filler);
    await vi.waitFor(() => expect(statSync(join(disk.dataDir, "reserve")).size).toBe(RESERVE_BYTES), PATIENCE);
    await vi.waitFor(() => expect(existsSync(join(disk.dataDir, "reserve.spent"))).toBe(false), PATIENCE);
    // Each worker checks at most twice a second.
    await vi.waitFor(async () => expect((await server.client.chat("/sim tokens=3")).status).toBe(200), PATIENCE);
    await vi.waitFor(async () => expect((await server.client.get("/ready")).status).toBe(200), PATIENCE);
  },
  60_000,
);

test.runIf(canMount)(
  "a start on a full disk serves what is there, and without any room says what is wrong",
  async () => {
    await using disk = await makeSmallDisk(40);
    const runId = await (async () => {
      await using server = await new Server(disk).ready();
      await vi.waitFor(() => expect(statSync(join(disk.dataDir, "reserve")).size).toBe(RESERVE_BYTES), PATIENCE);
      const { body } = await server.client.chat("/sim tokens=3");
      server.kill("SIGTERM");
      await server.exited;
      return body.run_id;
    })();
    fillUp(disk.dataDir);
    {
      await using server = new Server(disk);
      await vi.waitFor(async () => expect((await server.client.get(`/api/runs/${runId}`)).status).toBe(200), PATIENCE);
      expect((await server.client.get("/ready")).status).toBe(503);
      server.kill("SIGTERM");
      await server.exited;
    }
    fillUp(disk.dataDir);
    rmSync(join(disk.dataDir, "reserve"), { force: true });
    fillUp(disk.dataDir);

    await using server = new Server(disk);

    expect(await server.exitCode()).toBe(78);
    expect(server.stderr).toContain("is full");
    expect(server.stderr).not.toContain("Another evenkeel");
  },
  60_000,
);

test.each(["deleted", "replaced", "left without its log"])(
  "a database that is %s under the server is noticed within 2 s, said and refused, by its later processes too",
  async (how) => {
    await using place = await makePlace();
    await using server = await new Server(place, { env: { LOG_LEVEL: "warn" } }).ready();
    const { body } = await server.client.chat("/sim tokens=3");
    const path = join(place.dataDir, "evenkeel.db");
    const takenAt = performance.now();
    if (how === "deleted") rmSync(path);
    else if (how === "left without its log") rmSync(`${path}-wal`);
    else {
      mkdirSync(join(place.dataDir, "elsewhere"));
      renameSync(path, join(place.dataDir, "elsewhere", "evenkeel.db"));
      writeFileSync(path, "");
    }

    await vi.waitFor(async () => expect((await server.client.get("/ready")).status).toBe(503), PATIENCE);
    await vi.waitFor(() => expect(server.stdout).toContain("deleted or replaced"), PATIENCE);
    expect(performance.now() - takenAt).toBeLessThan(3_000);
    expect((await server.client.chat("/sim tokens=3")).status).toBe(503);
    const [worker] = await server.processes("worker");
    process.kill(worker?.pid ?? 0, "SIGKILL");
    await vi.waitFor(async () => {
      const workers = await server.processes("worker");
      expect(workers.filter(({ state }) => state === "ready")).toHaveLength(1);
    }, PATIENCE);
    // The remaining data is read from the file that was opened.
    expect((await server.client.get(`/api/runs/${body.run_id}`)).status).toBe(200);
    expect((await server.client.chat("/sim tokens=3")).status).toBe(503);
  },
  60_000,
);

test.runIf(canMount)("a backup, an export and an import without room say so, and leave no part", async () => {
  await using disk = await makeSmallDisk(1);
  await using data = await openTemporary();
  for (let run = 0; run < 20; run += 1)
    await complete(data.engine, await start(data.engine, { message: "x".repeat(100_000) }));
  const folder = dirname(disk.dataDir);
  const at = ["--data", data.folder.path];

  for (const command of ["backup", "export"]) {
    const ended = await evenkeel(command, join(folder, "copy"), ...at);
    expect(ended).toMatchObject({ code: 1, stderr: expect.stringContaining(`no room for ${folder}`) });
    expect(readdirSync(folder)).toEqual([]);
  }
  const file = join(data.folder.path, "threads.jsonl");
  await evenkeel("export", file, ...at);
  writeFileSync(join(folder, "filler"), Buffer.alloc(900 * 1024, 1));
  const { code, stderr } = await evenkeel("import", file, "--data", disk.dataDir);
  expect({ code, isFull: stderr.includes("is full") }).toEqual({ code: 1, isFull: true });
});
