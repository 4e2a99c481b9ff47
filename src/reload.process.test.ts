/** New code and configuration without a failed request. Real processes, a real copy of `config/`. */
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import type { Client } from "./testing/client.ts";
import { aliveOf } from "./testing/processes.ts";
import { startServer } from "./testing/server.ts";
import { STORAGES, storages } from "./testing/storages.ts";

const { environment } = storages();

const ROOT = resolve(import.meta.dirname, "..");

test("a saved change of the configuration is served soon after, and no request fails meanwhile", async () => {
  await using config = await copyConfig();
  await using server = await startServer({ entry: "run-dev", env: { CONFIG_DIR: config.path } });
  const [before] = await server.processes("worker");
  await using load = new Load(server.client);
  await load.until(20);

  await config.edit("agents.ts", (text) => text.replace(/\n {2}greeter: \{/, "\n  newcomer: {"));

  await vi.waitFor(async () => expect(await agentIds(server.client)).toContain("newcomer"), { timeout: 10_000 });
  // Old and new workers listen together for a moment, so that no request meets a closed port.
  await vi.waitFor(() => expect(aliveOf([before?.pid ?? 0])).toEqual([]), { timeout: 10_000 });
  expect(await agentIds(server.client)).not.toContain("greeter");
  await load.until(load.requests + 50);
  const [after] = await server.processes("worker");
  expect(after?.pid).not.toBe(before?.pid);
  expect(load.failures).toEqual([]);
  expect((await server.client.chat("/sim tokens=1", { agent_id: "newcomer" })).body.reply).toBe("tok1");
});

test("a broken file prints its error, and the old processes go on until it is mended", async () => {
  await using config = await copyConfig();
  await using server = await startServer({ entry: "run-dev", env: { CONFIG_DIR: config.path } });
  const [before] = await server.processes("worker");

  await config.edit("agents.ts", (text) => `${text}\nthrow new Error("a typo of mine");\n`);
  await vi.waitFor(() => expect(server.stdout).toMatch(/the old processes go on: .*a typo of mine/), {
    timeout: 10_000,
  });

  const [still] = await server.processes("worker");
  expect(still).toMatchObject({ pid: before?.pid, state: "ready" });
  expect((await server.client.chat("/sim tokens=1")).body.reply).toBe("tok1");
  await config.edit("agents.ts", (text) =>
    text.replace(/throw.*\n/, "").replace(/\n {2}greeter: \{/, "\n  newcomer: {"),
  );
  await vi.waitFor(async () => expect(await agentIds(server.client)).toContain("newcomer"), { timeout: 10_000 });
});

test.each(STORAGES)(
  "SIGHUP replaces all workers and agents under load, no request fails, on %s",
  async (storage) => {
    await using server = await startServer({ env: await environment(storage) });
    const pidsOf = async () =>
      [...(await server.processes("worker")), ...(await server.processes("agent"))].map(({ pid }) => pid);
    const before = await pidsOf();
    await using load = new Load(server.client);
    await load.until(20);

    server.kill("SIGHUP");

    await vi.waitFor(() => expect(server.stdout).toContain("restarted: the new processes serve"), { timeout: 15_000 });
    await load.until(load.requests + 50);
    for (const pid of await pidsOf()) expect(before).not.toContain(pid);
    expect(load.failures).toEqual([]);
  },
  60_000,
);

test("a client that stands still while its worker is replaced is answered on the connection that it has", async () => {
  await using server = await startServer();
  const socket = connect(server.port, "127.0.0.1").setEncoding("utf8");
  onTestFinished(() => void socket.destroy());
  const ask = async () => {
    socket.write("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    return String(await once(socket, "data"));
  };
  expect(await ask()).toMatch(/^HTTP\/1.1 200 [^]*connection: keep-alive/i);

  server.kill("SIGHUP");
  await vi.waitFor(() => expect(server.stdout).toContain("restarted: the new processes serve"), { timeout: 15_000 });
  // A busy client machine lets a process stand still for this long.
  await delay(2_000);

  expect(await ask()).toMatch(/^HTTP\/1.1 200 [^]*connection: close/i);
});

test("SIGHUP lets an agent finish its run while a new one serves, and SIGTERM ends that wait", async () => {
  await using server = await startServer({ env: { DRAIN_MS: "1000" } });
  const short = await server.client.begin("/sim tokens=60 rate=10");
  const long = await server.client.begin("/sim tokens=10000 rate=10");
  const [before] = await server.processes("agent");
  await vi.waitFor(async () => expect((await server.processes("agent"))[0]?.in_flight).toBe(2), { timeout: 10_000 });

  server.kill("SIGHUP");
  await vi.waitFor(() => expect(server.stdout).toContain("restarted: the new processes serve"), { timeout: 15_000 });

  const [after] = await server.processes("agent");
  expect(after).toMatchObject({ state: "ready", leaving: 1 });
  expect(after?.pid).not.toBe(before?.pid);
  expect((await server.client.chat("/sim tokens=1")).body.reply).toBe("tok1");
  // Longer than DRAIN_MS: the old agent still works on it, as its first attempt.
  await vi.waitFor(
    async () =>
      expect((await server.client.get(`/api/runs/${short}`)).body).toMatchObject({ status: "completed", attempts: 1 }),
    { timeout: 20_000 },
  );
  expect((await server.client.get(`/api/runs/${long}`)).body).toMatchObject({ status: "running", attempts: 1 });
  server.kill("SIGTERM");
  expect(await server.exitCode()).toBe(0);
  expect(aliveOf([before?.pid ?? 0])).toEqual([]);
});

test("SIGHUP with a tool that cannot be described names its file, and the old processes go on with all runs", async () => {
  await using config = await copyConfig();
  await using server = await startServer({ env: { CONFIG_DIR: config.path } });
  const [before] = await server.processes("agent");
  const under = await server.client.begin("/sim tokens=100 rate=50");

  await config.edit("tools/calculate.ts", (text) =>
    text.replace(/input: z\.object\(\{/, "input: z.object({ when: z.date(),"),
  );
  server.kill("SIGHUP");
  await vi.waitFor(() => expect(server.stdout + server.stderr).toMatch(/calculate\.ts: .*Date/), { timeout: 15_000 });

  expect((await server.processes("agent"))[0]).toMatchObject({ pid: before?.pid, state: "ready" });
  expect((await server.client.chat("/sim tokens=1")).body.reply).toBe("tok1");
  await vi.waitFor(
    async () =>
      expect((await server.client.get(`/api/runs/${under}`)).body).toMatchObject({ status: "completed", attempts: 1 }),
    { timeout: 10_000 },
  );
  expect(aliveOf([server.pid])).toEqual([server.pid]);
});

async function agentIds(client: Client): Promise<string[]> {
  const { body } = await client.get("/api/agents");
  return (body["agents"] as { agent_id: string }[]).map(({ agent_id }) => agent_id);
}

/** Asks for /health again and again over several connections, until it is disposed of. */
class Load implements AsyncDisposable {
  readonly failures: string[] = [];
  requests = 0;
  #stopped = false;
  readonly #loops: Promise<void>[];

  constructor(client: Client) {
    this.#loops = Array.from({ length: 4 }, () => this.#run(client));
  }

  async until(requests: number): Promise<void> {
    await vi.waitUntil(() => this.requests >= requests, { timeout: 10_000 });
  }

  async #run(client: Client): Promise<void> {
    while (!this.#stopped) {
      const failure = await client.get("/health").then(
        ({ status }) => (status === 200 ? undefined : `status ${status}`),
        (error: unknown) => String(error instanceof Error ? (error.cause ?? error) : error),
      );
      this.requests += 1;
      if (failure !== undefined) this.failures.push(failure);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
  }
}

/** A copy whose imports of our sources and packages still resolve, and whose tests are not collected. */
async function copyConfig() {
  // Not below node_modules: Node strips no types there. Git ignores this folder.
  const parent = join(ROOT, "data");
  await mkdir(parent, { recursive: true });
  const path = await mkdtemp(join(parent, "test-config-"));
  await cp(join(ROOT, "config"), path, { recursive: true });
  const edit = async (file: string, change: (text: string) => string) => {
    const text = await readFile(join(path, file), "utf8");
    await writeFile(join(path, file), change(text));
  };
  for (const file of await readdir(path, { recursive: true })) {
    if (file.endsWith(".ts")) await edit(file, (text) => text.replaceAll(/"(?:\.\.\/)+src\//g, `"${ROOT}/src/`));
  }
  return { path, edit, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}
