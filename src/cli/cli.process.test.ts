/**
 * Runs the commands as a person types them: against a real server, and with a server that the command starts
 * itself.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, expect, test } from "vitest";
import { BIN, evenkeel, evenkeelAt, evenkeelIn } from "../testing/command.ts";
import { aliveOf, descendantsOf } from "../testing/processes.ts";
import { startServer } from "../testing/server.ts";

const server = await startServer();
afterAll(() => server[Symbol.asyncDispose]());
const at = ["--server", `http://localhost:${server.port}`];

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

test("a server of its own has data and a key of its own, whatever .env says of others", async () => {
  await using project = await makeProject();
  // Nothing listens there, so a server that joined this database could not start.
  const theirs = ["DATABASE_URL=postgres://127.0.0.1:9/theirs", "DATABASE_LISTEN_URL=postgres://127.0.0.1:9/theirs"];
  const more = ["DATABASE_POOL=8", "REDIS_URL=redis://127.0.0.1:9", "API_KEYS=me:a-long-secret", "RELOAD=true"];
  await writeFile(join(project.path, ".env"), [...theirs, ...more, "START_WAIT_MS=0"].join("\n"));

  const { code, stderr, stdout } = await evenkeelAt(project.path, "chat", "assistant", "/sim tokens=3");

  expect({ code, stderr, stdout }).toEqual({ code: 0, stderr: "", stdout: "tok1 tok2 tok3\n" });
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
  await evenkeel("scale", "agents=default", ...at);
  await expect.poll(readyAgents, { timeout: 20_000 }).toBe(before);
  expect(await evenkeel("scale", "agents=many", ...at)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("agents=N"),
  });
  for (const wrong of ["agents=0", "workers=1000", "agents=2..4"]) {
    expect((await evenkeel("scale", wrong, ...at)).stderr).toContain(
      `a whole number from 1 to 256, or "default"; got "${wrong}"`,
    );
  }
  expect(await evenkeel("scale", "agents=1", "agents=2", ...at)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("each kind of process once"),
  });
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

test("doctor finds what would end a start: servers and tools of config/", async () => {
  await using project = await makeProject();
  const config = (name: string) => join(project.path, "config", name);
  await writeFile(join(project.path, ".env"), "PORT=0\n");
  expect(await evenkeelAt(project.path, "doctor")).toMatchObject({ code: 0 });

  await writeFile(config("mcp.ts"), "export const mcpSevers = new Map();\n");
  expect((await evenkeelAt(project.path, "doctor")).stdout).toMatch(/^BAD +config: .*mcp\.ts to export `mcpServers`/m);
  await rm(config("mcp.ts"));
  await writeFile(config("tools/broken.ts"), 'throw new Error("no luck today");\n');
  expect(await evenkeelAt(project.path, "doctor")).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/^BAD +config: [^]*broken[^]*no luck today/m) as string,
  });
  await rm(config("tools"), { recursive: true });
  expect((await evenkeelAt(project.path, "doctor")).stdout).toMatch(/^BAD +config: .*there is no config\/tools\//m);
}, 30_000);

test("doctor tells wrong settings as a start does, without a stack", async () => {
  expect(await evenkeelIn({ PORT: "abc" }, "doctor")).toMatchObject({
    code: 1,
    stderr: 'evenkeel: Expected `PORT` to be a whole number from 0 to 65535, got "abc".\n',
  });
});

test.each(["start", "doctor", "runs"])("%s names a .env that cannot be read, in one line", async (command) => {
  await using project = await makeProject();
  await mkdir(join(project.path, ".env"));
  expect(await evenkeelAt(project.path, command)).toEqual({
    code: 78,
    stdout: "",
    stderr: `evenkeel: ${join(project.path, ".env")} cannot be read: it is a folder. Remove it, or put a file there.\n`,
  });
});

/** A folder as `init` makes it, without its package. */
async function makeProject(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "evenkeel-project-"));
  await cp(resolve(import.meta.dirname, "../../templates/project/config"), join(path, "config"), { recursive: true });
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

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
