/** The front door as an operator meets it: banner, refusals, signals. Real processes. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { aliveOf, descendantsOf } from "./testing/processes.ts";
import { readSse, readUntil } from "./testing/sse.ts";
import { STORAGES, storages } from "./testing/storages.ts";
import { makePlace, Server, startServer } from "./testing/server.ts";

const SOURCE = import.meta.dirname;
const SYSTEM_NODE = "/usr/bin/node";
const NEW_PIDS = ["--pid", "--fork", "--kill-child", "--mount-proc"];
const canUnshare = spawnSync("unshare", [...NEW_PIDS, "true"]).status === 0;
const isOld = existsSync(SYSTEM_NODE) && versionOf(SYSTEM_NODE) < 24 && versionOf(SYSTEM_NODE) >= 20;

const { environment } = storages();

test("it serves, says so in a banner, names its processes, and SIGTERM drains it to exit code 0", async () => {
  await using server = await startServer();

  expect((await server.client.chat("/sim tokens=2")).body.reply).toBe("tok1 tok2");
  expect(server.stdout).toMatch(/^evenkeel \d+\.\d+\.\d+ is starting 2 workers and 1 agent …\n/);
  expect(server.stdout).toMatch(/\nevenkeel \d+\.\d+\.\d+, ready in \d+ ms\n/);
  expect(server.stdout).toContain(`url        http://127.0.0.1:${server.port}\n`);
  expect(server.stdout).toMatch(/mode +production\n/);
  expect(server.stdout).toMatch(/processes +2 workers, 1 agent\n/);
  expect(server.stdout).toMatch(/model +simulated \(set ANTHROPIC_API_KEY/);
  expect(server.stdout).toMatch(/access +this machine only \(set API_KEYS/);
  const { body } = await server.client.get("/api/workers");
  expect(
    (body["processes"] as { kind: string; id: number }[]).map(({ kind, id }) => `${kind} ${id}`).toSorted(),
  ).toEqual(["agent 1", "primary 1", "simulator 1", "worker 1", "worker 2"]);
  const children = descendantsOf(server.pid);
  expect(children).toHaveLength(4);

  server.kill("SIGTERM");

  expect(await server.exitCode()).toBe(0);
  expect(aliveOf(children)).toEqual([]);
  expect(server.stderr).toBe("");
});

test.each(STORAGES)(
  "SIGTERM lets a stream that is under way come to its end, on %s",
  async (storage) => {
    await using server = await startServer({ env: await environment(storage) });
    const types: string[] = [];

    for await (const { event } of readSse(await server.client.stream("/sim tokens=40 rate=40"))) {
      types.push(event.type);
      if (types.filter((type) => type === "TEXT_MESSAGE_CONTENT").length === 1) server.kill("SIGTERM");
    }

    expect(types.at(-1)).toBe("RUN_FINISHED");
    expect(await server.exitCode()).toBe(0);
  },
  60_000,
);

test("SIGTERM while the processes boot ends them all, and is no failure", async () => {
  await using place = await makePlace();
  await using server = new Server(place);
  await vi.waitUntil(() => descendantsOf(server.pid).length > 0, { timeout: 10_000, interval: 5 });

  server.kill("SIGTERM");

  expect(await server.exitCode()).toBe(0);
  expect(server.stdout).toContain("SIGTERM: draining");
  expect(server.stdout).not.toContain("ready in");
  expect(server.stderr).toBe("");
});

test("two SIGINTs of one press are one; a second press exits at once", async () => {
  await using server = await startServer();
  const response = await server.client.stream("/sim tokens=10000 rate=20");
  await readUntil(response, ({ type }) => type === "TEXT_MESSAGE_CONTENT");
  const children = descendantsOf(server.pid);

  server.kill("SIGINT");
  server.kill("SIGINT");
  await vi.waitFor(() => expect(server.stdout).toContain("SIGINT: draining"));
  // The second press counts from 200 ms on: there is no event to wait for, only the time itself.
  await delay(250);
  expect(aliveOf([server.pid])).toEqual([server.pid]);
  const pressedAt = performance.now();
  server.kill("SIGINT");

  expect(await server.exitCode()).toBe(130);
  expect(performance.now() - pressedAt).toBeLessThan(1_000);
  await vi.waitFor(() => expect(aliveOf(children)).toEqual([]));
});

test("bad settings are all named, without a stack, and it exits with 78", async () => {
  await using place = await makePlace();
  const env = { WORKERS: "0", AGENTS: "many", API_KEYS: "ana:canary", RELOAD: "maybe" };
  await using server = new Server(place, { env });

  expect(await server.exitCode()).toBe(78);
  expect(server.stdout).toBe("");
  for (const name of ["WORKERS", "AGENTS", "API_KEYS", "RELOAD"]) expect(server.stderr).toContain(`\`${name}\``);
  expect(server.stderr).not.toContain("canary");
  expect(server.stderr).not.toMatch(/^\s+at /m);
});

test("a port that stays taken is one clear line and exit code 75, and nothing is left running", async () => {
  await using place = await makePlace();
  const squatter = createServer().listen(place.port, "127.0.0.1");
  await once(squatter, "listening");
  const server = new Server(place, { env: { START_WAIT_MS: "300" } });

  expect(await server.exitCode()).toBe(75);

  squatter.close();
  await once(squatter, "close");
  expect(server.stderr.trim().split("\n")).toEqual([
    expect.stringContaining("Trying again for 1 s"),
    "evenkeel cannot start:",
    expect.stringContaining(`Port ${place.port} on 127.0.0.1 cannot be used`),
  ]);
});

test("a port that is freed within the wait is taken", async () => {
  await using place = await makePlace();
  const squatter = createServer().listen(place.port, "127.0.0.1");
  await once(squatter, "listening");
  await using server = new Server(place);
  await vi.waitUntil(() => server.stderr.includes("Trying again for 10 s"), { timeout: 10_000 });

  squatter.close();

  expect((await (await server.ready()).client.get("/health")).status).toBe(200);
});

test("a lock file that is removed under the server lets nobody else in", async () => {
  await using place = await makePlace();
  await using other = await makePlace();
  await using first = await new Server(place).ready();
  await rm(join(place.dataDir, "primary.lock"));

  for (const _ of ["second", "third"]) {
    await using another = new Server({ ...place, port: other.port }, { env: { START_WAIT_MS: "0" } });
    expect(await another.exitCode()).toBe(75);
    expect(another.stderr).toContain(`Another evenkeel runs on ${place.dataDir}.`);
  }
  expect((await first.client.chat("/sim tokens=1")).body.reply).toBe("tok1");
});

test("a setting that is misspelt is named in the log, with what was meant and without its value", async () => {
  await using place = await makePlace();
  await using server = await new Server(place, { env: { WORKRS: "canary", API_KEY: "canary" } }).ready();

  const warnings = server.logLines().map(({ msg }) => msg);
  expect(warnings).toContain("WORKRS is no setting and has no effect. Did you mean WORKERS?");
  expect(warnings).toContain("API_KEY is no setting and has no effect. Did you mean API_KEYS?");
  expect(server.stdout).not.toContain("canary");
});

test("a second primary on the same data refuses and leaves the first alone", async () => {
  await using place = await makePlace();
  await using other = await makePlace();
  await using first = await new Server(place).ready();
  await using second = new Server({ ...place, port: other.port }, { env: { START_WAIT_MS: "300" } });

  expect(await second.exitCode()).toBe(75);
  expect(second.stderr).toContain(`Another evenkeel runs on ${place.dataDir}.`);
  expect((await first.client.get("/health")).status).toBe(200);
});

test("an agents file that is broken is one clear line, with its path", async () => {
  await using place = await makePlace();
  await using server = new Server(place, { env: { CONFIG_DIR: place.dataDir } });

  expect(await server.exitCode()).toBe(78);
  expect(server.stderr).toContain(`${place.dataDir}/agents.ts`);
  expect(server.stderr).not.toMatch(/^\s+at /m);
});

test.each([
  ["a syntax error in agents.ts", "\n\nexport const agents = ;", "/agents.ts:3: Expression expected"],
  [
    "a tool that nobody wrote",
    `import { defineAgents } from "${SOURCE}/core/agent.ts";\n` +
      'export const agents = defineAgents({ a: { model: "m", tools: ["nosuch"] } });',
    "there is no config/tools/nosuch.ts",
  ],
])("%s ends the start with its place and no stack", async (_, text, told) => {
  await using place = await makePlace();
  await mkdir(join(place.dataDir, "tools"));
  await writeFile(join(place.dataDir, "agents.ts"), text);
  await using server = new Server(place, { env: { CONFIG_DIR: place.dataDir } });

  expect(await server.exitCode()).toBe(78);
  expect(server.stdout + server.stderr).toContain(told);
  expect(server.stdout + server.stderr).not.toMatch(/\bat \S+ \(/);
});

test.each([
  ["DATA_DIR", { DATA_DIR: "/dev/null" }, "DATA_DIR /dev/null cannot be used"],
  ["HOST", { HOST: "192.0.2.1" }, "HOST 192.0.2.1 cannot be used"],
])("a %s that cannot be used is told by its name", async (_, env, told) => {
  await using place = await makePlace();
  await using server = new Server(place, { env });

  expect(await server.exitCode()).toBe(78);
  expect(server.stderr).toContain(told);
  expect(server.stderr).not.toMatch(/^\s+at /m);
});

test("an argument is refused, with what to write instead", async () => {
  const { status, stderr } = spawnSync(process.execPath, ["run-production", "--port", "9000"], { encoding: "utf8" });

  expect(status).toBe(64);
  expect(stderr).toContain('takes no arguments, got "--port"');
  expect(stderr).toContain("PORT=9000 node run-production");
});

test.runIf(canUnshare)("as process 1 of a container without an init it says so, in log and banner", async () => {
  await using place = await makePlace();
  const { PATH = "", HOME = "", TMPDIR = "/tmp" } = process.env;
  const env = {
    PATH,
    HOME,
    TMPDIR,
    HOST: "127.0.0.1",
    PORT: String(place.port),
    DATA_DIR: place.dataDir,
    WORKERS: "1",
  };
  // The kernel kills the whole namespace with its process 1.
  const container = spawn("unshare", [...NEW_PIDS, process.execPath, "run-production"], { env });
  const ended = once(container, "close");
  let output = "";
  container.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  try {
    await vi.waitUntil(() => output.includes("ready in"), { timeout: 15_000 });
    expect(output).toMatch(/pid +1 \(start the container with --init, see the log\)/);
    expect(output).toContain("cannot reap what tools leave behind");
  } finally {
    container.kill("SIGKILL");
    await ended;
  }
});

test.runIf(isOld)("an older Node hands over to the bundled one, signals and the exit code pass through", async () => {
  await using server = await startServer({ node: SYSTEM_NODE, env: { WORKERS: "1" } });
  const { body } = await server.client.get("/info");
  expect(Number.parseInt(String(body["node"]).slice(1), 10)).toBeGreaterThanOrEqual(24);
  const family = descendantsOf(server.pid);

  server.kill("SIGTERM");

  expect(await server.exitCode()).toBe(0);
  expect(aliveOf(family)).toEqual([]);
});

test.runIf(isOld)("an older Node that is killed takes everything that it handed over along", async () => {
  await using place = await makePlace();
  await using server = await new Server(place, { node: SYSTEM_NODE, env: { WORKERS: "1" } }).ready();
  const family = descendantsOf(server.pid);
  try {
    server.kill("SIGKILL");

    await vi.waitFor(() => expect(aliveOf(family)).toEqual([]), { timeout: 3_000, interval: 50 });
  } finally {
    for (const pid of aliveOf(family)) process.kill(pid, "SIGKILL");
  }
});

test.runIf(isOld)("an older Node passes on the exit code of a refusal", async () => {
  await using place = await makePlace();
  await using server = new Server(place, { node: SYSTEM_NODE, env: { WORKERS: "0" } });

  expect(await server.exitCode()).toBe(78);
});

function versionOf(node: string): number {
  return Number.parseInt(execFileSync(node, ["-p", "process.versions.node"], { encoding: "utf8" }), 10);
}
