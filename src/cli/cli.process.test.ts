/**
 * Runs the commands as a person types them: against a real server, and with a server that the command starts
 * itself.
 */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Redis } from "ioredis";
import { afterAll, describe, expect, test, vi } from "vitest";
import { complete, enqueue, save, start } from "../engine/contract/setup.ts";
import { openAt as openPostgres } from "../engine/postgres/test-data.ts";
import { openAt, openTemporary } from "../engine/sqlite/test-data.ts";
import { aliveOf, descendantsOf } from "../testing/processes.ts";
import { makeCertificates } from "../testing/certificates.ts";
import { needs } from "../testing/program.ts";
import { TestRedis } from "../testing/redis.ts";
import { startServer } from "../testing/server.ts";
import { storages } from "../testing/storages.ts";

const BIN = resolve(import.meta.dirname, "../../bin/evenkeel.js");

const server = await startServer();
afterAll(() => server[Symbol.asyncDispose]());
const at = ["--server", `http://localhost:${server.port}`];

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function evenkeel(...args: string[]): Promise<Ended> {
  return evenkeelIn({}, ...args);
}

function evenkeelIn(env: Readonly<Record<string, string>>, ...args: string[]): Promise<Ended> {
  return new Promise((done) => {
    execFile(
      process.execPath,
      [BIN, ...args],
      { encoding: "utf8", env: { ...process.env, ...env } },
      (error, stdout, stderr) => done({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

test("chat prints the answer, and on stderr the tool call", async () => {
  const { code, stdout, stderr } = await evenkeel("chat", "assistant", "calculate 6 * 7", ...at);
  expect(code).toBe(0);
  expect(stdout).toContain("The tool calculate answered: 42");
  expect(stderr).toMatch(/\[calculate .*6 \* 7.*\]\n\[result: 42\]/);
});

test("chat without a server starts one of its own, and leaves none behind", async () => {
  const { code, stdout } = await evenkeel("chat", "assistant", "calculate 6 * 7");
  expect({ code, answered: stdout.includes("42") }).toEqual({ code: 0, answered: true });
}, 60_000);

test("retry goes on with a run that failed, in a new run", async () => {
  const { body } = await server.client.chat("/sim status=400");
  const failed = body.run_id;
  const { code, stdout } = await evenkeel("retry", failed, ...at);
  expect(code).toBe(0);
  expect(stdout).toMatch(new RegExp(`^run_\\w+ goes on with ${failed}; it is \\w+\n$`));
  expect(await evenkeel("retry", "nothing", ...at)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("no run"),
  });
});

const readyAgents = async () => (await server.processes("agent")).filter(({ state }) => state === "ready").length;

test("scale starts and ends processes of a running server", async () => {
  const before = await readyAgents();

  expect(await evenkeel("scale", `agents=${before + 1}`, ...at)).toMatchObject({
    code: 0,
    stdout: `there will be ${before + 1} agents\n`,
  });
  await expect.poll(readyAgents, { timeout: 20_000 }).toBe(before + 1);
  await evenkeel("scale", `agents=${before}`, ...at);
  await expect.poll(readyAgents, { timeout: 20_000 }).toBe(before);
  expect(await evenkeel("scale", "agents=many", ...at)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("agents=N"),
  });
  expect((await evenkeel("scale", "agents=0", ...at)).stderr).toContain("agents");
});

/** Starts a chat whose answer takes long. Resolves once the answer has begun. */
async function beginChat(...more: string[]) {
  const child = spawn(process.execPath, [BIN, "chat", "assistant", "/sim tokens=6000 rate=50", ...more]);
  const exited = new Promise<number | null>((done) => child.on("exit", done));
  let [stdout, stderr] = ["", ""];
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  await new Promise<void>((begun) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      if (stdout.includes("tok3")) begun();
    });
  });
  return { child, exited, stderr: () => stderr };
}

const newestRun = async () => (await server.client.get("/api/runs?limit=1")).body["runs"];

test.each([
  { what: "Ctrl-C", end: (child: ChildProcess) => child.kill("SIGINT"), code: 130, said: "[canceled]\n" },
  { what: "SIGTERM", end: (child: ChildProcess) => child.kill("SIGTERM"), code: 143, said: "" },
  { what: "a closed terminal", end: (child: ChildProcess) => child.kill("SIGHUP"), code: 129, said: "" },
  { what: "a reader that leaves", end: (child: ChildProcess) => child.stdout?.destroy(), code: 0, said: "" },
])("$what cancels the answer and ends the command", async ({ end, code, said }) => {
  const chat = await beginChat(...at);

  end(chat.child);

  expect(await chat.exited).toBe(code);
  expect(chat.stderr()).toBe(said);
  await expect.poll(newestRun).toMatchObject([{ status: "canceled" }]);
});

test("a command that prints more than its reader wants ends without an error", async () => {
  const child = spawn(process.execPath, [BIN, "top", ...at]);
  const exited = new Promise((done) => child.on("exit", done));
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));

  child.stdout.once("data", () => child.stdout.destroy());

  expect(await exited).toBe(0);
  expect(stderr).toBe("");
});

test("lines that are piped in are answered one after the other", async () => {
  const child = spawn(process.execPath, [BIN, "chat", "assistant", ...at]);
  const exited = new Promise((done) => child.on("exit", done));
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));

  child.stdin.end("calculate 6 * 7\n\n/sim tokens=3\n");

  expect(await exited).toBe(0);
  expect(stdout).toMatch(/answered: 42[^]*tok1 tok2 tok3/);
});

test(
  "a server of its own does not outlive the command, whenever and however it ends",
  { timeout: 60_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "evenkeel-cli-"));
    await using _ = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
    const begin = () =>
      spawn(process.execPath, [BIN, "chat", "assistant", "/sim tokens=6000 rate=50"], {
        env: { ...process.env, TMPDIR: folder },
      });
    const isLeft = async () => (await readdir(folder)).length;
    const early = begin();
    await expect.poll(isLeft, { timeout: 20_000 }).toBe(1);

    early.kill("SIGINT");
    await new Promise((done) => early.on("exit", done));
    expect(await isLeft()).toBe(0);

    const late = begin();
    await new Promise((begun) => late.stdout.once("data", begun));
    const tree = descendantsOf(late.pid ?? 0);
    expect(tree.length).toBeGreaterThan(2);
    late.kill("SIGKILL");
    await expect.poll(() => aliveOf(tree), { timeout: 10_000 }).toEqual([]);
  },
);

test("runs, tail and cancel show and end what there is", async () => {
  await server.client.post("/api/chat/async", {
    agent_id: "assistant",
    message: "/sim tokens=6000 rate=20",
    run_id: "mine",
  });
  expect((await evenkeel("runs", ...at)).stdout).toMatch(/^RUN +AGENT +STATUS[^]*mine +assistant +(queued|running)/);
  expect((await evenkeel("cancel", "mine", ...at)).stdout).toMatch(/^mine is (winding down|canceled)/);
  const { stdout } = await evenkeel("tail", "mine", ...at);
  const events = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { seq: number; type: string });
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  expect(events.at(-1)?.type).toBe("RUN_FINISHED");
});

test("runs and top call a run that waits for another one parked", async () => {
  const input = JSON.stringify({ agent_id: "assistant", message: "/sim tokens=4000 rate=20" });
  const runId = await server.client.begin(`/sim tool=delegate input=${input}`, { agent_id: "planner" });
  const parked = () => evenkeel("runs", "--status", "parked", ...at);

  await expect.poll(async () => (await parked()).stdout, { timeout: 20_000 }).toContain(`${runId}  planner`);

  expect((await parked()).stdout).toMatch(/planner +parked/);
  expect((await evenkeel("runs", "--status", "running", ...at)).stdout).not.toContain(runId);
  await expect
    .poll(async () => (await evenkeel("top", "--once", ...at)).stdout, { timeout: 20_000 })
    .toContain("2 runs under way (1 parked)");
  await evenkeel("cancel", runId, ...at);
  expect((await evenkeel("runs", "--status", "waiting", ...at)).stderr).toContain(
    "Allowed choices are queued, running, parked",
  );
});

test("top shows every process", async () => {
  const { stdout } = await evenkeel("top", "--once", ...at);
  expect(stdout).toMatch(/PROCESS +STATE[^]*primary 1 +ready[^]*worker 2 +ready[^]*agent 1 +ready/);
});

test("doctor finds the way to a server in order, and says what is wrong with one that is not there", async () => {
  const good = await evenkeel("doctor", ...at);
  expect(good).toMatchObject({ code: 0, stdout: expect.not.stringContaining("BAD") as string });
  expect(good.stdout.match(/^ok/gm)).toHaveLength(4);
  const bad = await evenkeel("doctor", "--server", "http://127.0.0.1:9");
  expect(bad.code).toBe(1);
  expect(bad.stdout).toContain("BAD  health");
});

test("backup makes a whole database of one that is written to, and overwrites nothing", async () => {
  const folder = await mkdtemp(join(tmpdir(), "evenkeel-backup-"));
  await using _ = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
  const file = join(folder, "copy.db");
  const args = ["backup", file, "--data", server.dataDir];
  expect(await evenkeel(...args)).toMatchObject({ code: 0 });
  using db = new DatabaseSync(file, { readOnly: true });
  expect(db.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  expect((await evenkeel(...args)).stderr).toContain("is there already");
});

test("a run that is not there, a server that is not there and a wrong command are one line each", async () => {
  expect(await evenkeel("tail", "nobody", ...at)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^evenkeel: .*nobody.*\n$/) as string,
  });
  const nowhere = await evenkeel("runs", "--server", "http://127.0.0.1:9");
  expect(nowhere).toMatchObject({ code: 1, stderr: "evenkeel: http://127.0.0.1:9 cannot be reached: bad port.\n" });
  expect((await evenkeel("runs", "--server", "localhost:9")).stderr).toContain("such as http://localhost:8000");
  expect((await evenkeel("chatt")).stderr).toContain("error: unknown command 'chatt'");
});

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
