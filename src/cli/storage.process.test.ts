/** The commands that work on a storage by themselves: on a file, and on Postgres. */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Redis } from "ioredis";
import { describe, expect, test, vi } from "vitest";
import { complete, enqueue, save, start } from "../engine/contract/setup.ts";
import { openAt as openPostgres } from "../engine/postgres/test-data.ts";
import { openAt, openTemporary } from "../engine/sqlite/test-data.ts";
import { makeCertificates } from "../testing/certificates.ts";
import { evenkeel, evenkeelAt, evenkeelIn } from "../testing/command.ts";
import { needs } from "../testing/program.ts";
import { TestRedis } from "../testing/redis.ts";
import { makePlace, Server } from "../testing/server.ts";
import { storages } from "../testing/storages.ts";

test("prune removes old threads and keeps newer ones, and says what is wrong with an age", async () => {
  await using data = await openTemporary();
  for (const threadId of ["old", "new"]) await complete(data.engine, await start(data.engine, { threadId }));
  using db = new DatabaseSync(data.folder.dbPath, { timeout: 1_000 });
  db.exec("UPDATE threads SET updated_at = updated_at - 7200000 WHERE id = 'old'");
  const at = ["--data", data.folder.path];

  expect(await evenkeel("prune", ...at, "--threads", "a while")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('--threads has to be a time such as "90d"'),
  });
  expect(await evenkeel("prune", ...at, "--threads", "1h")).toMatchObject({ code: 0 });

  expect(await data.engine.thread("old")).toBeUndefined();
  expect(await data.engine.thread("new")).toBeDefined();
});

test("prune removes old files that no thread names, and keeps the others", async () => {
  await using data = await openTemporary();
  const [used, unused] = [await save(data.engine, "used"), await save(data.engine, "unused")];
  const content = [{ type: "document", source: { type: "file", file_id: used.file_id } }] as const;
  await enqueue(data.engine, { content });
  using db = new DatabaseSync(data.folder.dbPath, { timeout: 1_000 });
  db.exec("UPDATE files SET idle_since = idle_since - 7200000");
  const young = await save(data.engine, "young");
  const at = ["--data", data.folder.path];

  expect(await evenkeel("prune", ...at)).toMatchObject({ code: 0 });
  expect(await data.engine.files.find(unused.file_id)).toBeDefined();
  expect(await evenkeel("prune", ...at, "--files", "1h")).toMatchObject({ code: 0 });

  expect(await data.engine.files.find(unused.file_id)).toBeUndefined();
  for (const kept of [used, young]) expect(await data.engine.files.find(kept.file_id)).toBeDefined();
});

test("prune keeps what the RETAIN_* of the server keep, unless an option says otherwise", async () => {
  await using data = await openTemporary();
  await complete(data.engine, await start(data.engine));
  using db = new DatabaseSync(data.folder.dbPath, { timeout: 1_000 });
  db.exec("UPDATE activities SET at = at - 3456000000");
  const activities = async () => (await data.engine.activities({ limit: 10 })).items.length;
  const before = await activities();
  await writeFile(join(data.folder.path, ".env"), "DATA_DIR=.\nRETAIN_ACTIVITIES=forever\n");

  expect(await evenkeelAt(data.folder.path, "prune", "--files", "7d")).toMatchObject({ code: 0 });
  expect(await activities()).toBe(before);
  expect(await evenkeelAt(data.folder.path, "prune", "--activities", "30d")).toMatchObject({ code: 0 });
  // The newest one is always kept.
  expect(await activities()).toBe(1);
});

test("backup copies the database for this user only, and names a source that is no database", async () => {
  await using data = await openTemporary();
  await complete(data.engine, await start(data.engine, { threadId: "thread" }));
  const at = ["--data", data.folder.path];
  const file = join(data.folder.path, "copy.db");

  // An empty DATABASE_URL is none, as it is for the server.
  expect(await evenkeelIn({ DATABASE_URL: "" }, "backup", file, ...at)).toMatchObject({ code: 0 });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  using copy = new DatabaseSync(file, { readOnly: true });
  expect(copy.prepare("SELECT id FROM threads").all()).toMatchObject([{ id: "thread" }]);

  for (const name of ["", join(data.folder.path, "nowhere", "copy.db")]) {
    const { code, stderr } = await evenkeel("backup", name, ...at);
    expect({ code, lines: stderr.trim().split("\n").length }).toEqual({ code: 1, lines: 1 });
  }
  const other = join(data.folder.path, "other");
  await mkdir(other);
  await writeFile(join(other, "evenkeel.db"), "no database at all");
  const broken = await evenkeel("backup", join(other, "copy.db"), "--data", other);
  expect(broken.stderr).toMatch(
    /^evenkeel: evenkeel\.db is not a SQLite database; [^\n]* \(file is not a database\)\n$/,
  );
  expect(await readdir(other)).toEqual(["evenkeel.db"]);
});

test("commands check the URL of a database, and an import its file, before they open a storage", async () => {
  await using data = await openTemporary();
  for (const url of ["", "mysql://ana:secret@here/x", "postgres://[::1/x"]) {
    const { code, stderr } = await evenkeel("prune", "--database", url);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^evenkeel: Expected .* to be a URL such as "postgres:[^\n]*\n$/);
    expect(stderr).not.toContain("secret");
  }
  const file = join(data.folder.path, "no-export");
  await writeFile(file, "foreign");
  const target = join(data.folder.path, "other");
  expect(await evenkeel("import", file, "--data", target)).toMatchObject({ code: 1 });
  expect(existsSync(target)).toBe(false);
});

test("export and import take threads from one storage to another, and leave alone what is there", async () => {
  await using data = await openTemporary();
  // Some line readers take both separators for the end of a line.
  const claim = await start(data.engine, { threadId: "thread", message: "hello\u2028and\u2029again" });
  await complete(data.engine, claim);
  const file = join(data.folder.path, "threads.jsonl");
  const target = join(data.folder.path, "other");

  expect(await evenkeel("export", file, "--data", data.folder.path)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("1 threads"),
  });
  expect(await evenkeel("import", file, "--data", target)).toMatchObject({ code: 0 });
  expect((await evenkeel("import", file, "--data", target)).stdout).toContain("1 were there already");

  await using other = await openAt(target);
  expect(await other.run(claim.run.run_id)).toEqual(await data.engine.run(claim.run.run_id));
  await writeFile(file, '{"thread":1}\n');
  expect(await evenkeel("import", file, "--data", target)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("threads.jsonl:1 is no thread"),
  });
});

test("of a thread that changed during the export, the import takes the newest state", async () => {
  await using data = await openTemporary();
  const first = await start(data.engine, { threadId: "thread" });
  await complete(data.engine, first);
  const [before, after, both] = ["before", "after", "both"].map((name) => join(data.folder.path, name)) as [
    string,
    string,
    string,
  ];
  await evenkeel("export", before, "--data", data.folder.path);
  const second = await start(data.engine, { threadId: "thread" });
  await complete(data.engine, second);
  await evenkeel("export", after, "--data", data.folder.path);
  await writeFile(both, `${await readFile(before, "utf8")}${await readFile(after, "utf8")}`);
  const target = join(data.folder.path, "other");

  expect((await evenkeel("import", both, "--data", target)).stdout).toContain("1 threads are stored; 0 were there");

  await using other = await openAt(target);
  expect(await other.run(second.run.run_id)).toEqual(await data.engine.run(second.run.run_id));
});

describe("a storage in Postgres", () => {
  const { environment, postgres } = storages();

  test("is looked at by the doctor, with its bus", async () => {
    const { DATABASE_URL = "" } = await environment("Postgres");

    const good = await evenkeelIn({ PORT: "0", DATABASE_URL }, "doctor");
    expect(good.stdout).toMatch(/^ok +postgres: 18\S*, without tables yet/m);
    expect(good.stdout).toMatch(/^ok +notify: news comes back in \d+ ms/m);

    const wrong = {
      PORT: "0",
      DATABASE_URL: `postgres://ana:secret@127.0.0.1:${(await postgres()).port}/nowhere`,
      REDIS_URL: "redis://:secret@127.0.0.1:9",
    };
    const bad = await evenkeelIn(wrong, "doctor");
    expect(bad).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^BAD +postgres: The database refuses/m) as string,
    });
    expect(bad.stdout).toMatch(/^BAD +redis: Redis at 127\.0\.0\.1:9 does not carry the news \(connect ECONNREFUSED/m);
    expect(bad.stdout + bad.stderr).not.toContain("secret");
  });

  test("is looked at by the doctor with a Redis that speaks TLS", needs("redis-server", "openssl"), async () => {
    const { DATABASE_URL = "" } = await environment("Postgres");
    await using tls = await makeCertificates();
    await using redis = await TestRedis.start({ tls });
    const settings = { PORT: "0", DATABASE_URL, REDIS_URL: redis.url };

    const trusting = await evenkeelIn({ ...settings, NODE_EXTRA_CA_CERTS: tls.authority }, "doctor");
    expect(trusting.stdout).toMatch(/^ok +redis: localhost:\d+, news comes back in \d+ ms/m);
    const wary = await evenkeelIn(settings, "doctor");
    expect(wary.stdout).toMatch(/^BAD +redis: Redis at localhost:\d+ does not carry the news \(unable to verify/m);
  });

  test("that refuses is quoted to who starts a command or a server", async () => {
    const url = `postgres://evenkeel@127.0.0.1:${(await postgres()).port}/nowhere`;

    const { stderr } = await evenkeel("prune", "--database", url);
    expect(stderr).toContain('check its user, password and database. (database "nowhere" does not exist)');
    await using place = await makePlace();
    await using server = new Server(place, { env: { DATABASE_URL: url } });
    expect(await server.exitCode()).toBe(78);
    expect(server.stderr).toContain('(database "nowhere" does not exist)');
  });

  test("is named by the commands that work on it, and backed up by pg_dump only", async () => {
    const { DATABASE_URL = "" } = await environment("Postgres");
    const place = DATABASE_URL.replace(/^.*@/, "Postgres at ");

    const pruned = await evenkeelIn({ DATABASE_URL }, "prune");
    expect(pruned).toMatchObject({ code: 0, stderr: `storage: ${place}\n` });
    expect(await evenkeelIn({ DATABASE_URL }, "backup", "copy.db")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^evenkeel: The data is in Postgres at .* pg_dump/) as string,
    });
    const named = await evenkeelIn({ DATABASE_URL }, "backup", "copy.db", "--data", "nowhere");
    expect(named.stderr).toContain("There is no nowhere/evenkeel.db");
  });

  test("has its news told through Redis by prune, as its servers do", needs("redis-server"), async () => {
    const { DATABASE_URL = "" } = await environment("Postgres");
    await using redis = await TestRedis.start();
    await using engine = await openPostgres(DATABASE_URL);
    const claim = await start(engine, { threadId: "old" });
    await complete(engine, claim);
    const database = new URL(DATABASE_URL).pathname.slice(1);
    await (await postgres()).admin("UPDATE threads SET updated_at = updated_at - 7200000", database);
    const told = new Map<string, string>();
    const listener = new Redis(redis.url);
    listener.on("pmessage", (_pattern, channel: string, payload: string) => told.set(channel, payload));
    try {
      await listener.psubscribe("evenkeel:*:evenkeel_events_*");

      const wrong = await evenkeelIn({ DATABASE_URL, REDIS_URL: "redis://:secret@?" }, "prune");
      expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining("Expected `REDIS_URL` to be a URL") });
      expect(wrong.stderr).not.toContain("secret");
      const pruned = await evenkeelIn({ DATABASE_URL, REDIS_URL: redis.url }, "prune", "--threads", "1h");
      expect(pruned).toMatchObject({ code: 0 });

      // The number of the run that is gone: the database's first one.
      await vi.waitFor(() => expect([...told.values()]).toEqual(["1"]));
      expect(await engine.thread("old")).toBeUndefined();
    } finally {
      listener.disconnect();
    }
  });
});
