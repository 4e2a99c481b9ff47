/** MCP servers below the real tree: shown, restarted, and gone with the agent that started them. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import type { McpReport } from "./api/mcp.ts";
import { aliveOf } from "./testing/processes.ts";
import { makePlace, Server, startServer } from "./testing/server.ts";

const SCRIPT = join(import.meta.dirname, "agent/mcp/fixtures/scripted-server.ts");
const SOON = { timeout: 5_000, interval: 50 };

type Shown = McpReport & { readonly agent_process: number };

/** A config folder with one agent, `assistant`, and one MCP server, `it`. */
async function makeConfig(mcp: readonly string[] = ["it"], args: readonly string[] = [SCRIPT]) {
  const path = await mkdtemp(join(tmpdir(), "evenkeel-config-"));
  const core = join(import.meta.dirname, "core");
  const agents = { assistant: { model: "m", mcp } };
  const servers = { it: { command: process.execPath, args, env: { TOKEN: "swordfish-77" }, callTimeoutMs: 30_000 } };
  await mkdir(join(path, "tools"));
  await writeFile(
    join(path, "agents.ts"),
    `import { defineAgents } from "${core}/agent.ts";\nexport const agents = defineAgents(${JSON.stringify(agents)});`,
  );
  await writeFile(
    join(path, "mcp.ts"),
    `import { defineMcpServers } from "${core}/mcp-servers.ts";\nexport const mcpServers = defineMcpServers(${JSON.stringify(servers)});`,
  );
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

async function shown({ client }: Server): Promise<readonly Shown[]> {
  const { body } = await client.get("/api/mcp");
  return body["servers"] as Shown[];
}

/** The answer of the tool. */
async function use({ client }: Server, tool: string, input: object = {}): Promise<string> {
  const { body } = await client.chat(`/sim tool=it__${tool} input=${JSON.stringify(input)}`);
  const events = await client.events(body.run_id);
  return events.find(({ type }) => type === "TOOL_CALL_RESULT")?.content ?? JSON.stringify(body);
}

test("every agent process's servers are shown, from idle to ready, and a restart gives them another pid", async () => {
  await using config = await makeConfig();
  await using server = await startServer({ env: { CONFIG_DIR: config.path, AGENTS: "1" } });
  await vi.waitFor(async () => expect(await shown(server)).toMatchObject([{ server: "it", state: "idle" }]), SOON);

  expect(await use(server, "echo", { text: "hello" })).toBe("hello");

  const ready = { server: "it", kind: "stdio", state: "ready", agent_process: 1, calls: 1, in_flight: 0 };
  await vi.waitFor(async () => expect(await shown(server)).toMatchObject([ready]), SOON);
  const [before] = await shown(server);
  expect(before).toMatchObject({ pid: expect.any(Number), latency_ms: { p50: expect.any(Number) }, starts: 1 });
  expect(before?.tools).toContain("echo");

  const { status } = await server.client.post("/api/mcp/it/restart", undefined);
  expect(status).toBe(202);
  await vi.waitFor(async () => expect(await shown(server)).toMatchObject([{ state: "ready", starts: 2 }]), SOON);
  expect((await shown(server))[0]?.pid).not.toBe(before?.pid);
  expect(aliveOf([before?.pid ?? 0])).toEqual([]);

  expect(await server.client.post("/api/mcp/other/restart", undefined)).toMatchObject({
    status: 404,
    body: { code: "NOT_FOUND", detail: "There is no MCP server other. config/mcp.ts has: it." },
  });
});

test("a server that exits in a call shows why, with its stderr, without its secrets; the chat goes on", async () => {
  await using config = await makeConfig();
  await using server = await startServer({ env: { CONFIG_DIR: config.path } });

  expect(await use(server, "exit")).toContain("it exited with code 3");

  const why = { reason: "it exited with code 3", stderr: expect.stringContaining("the token is [TOKEN]") };
  await vi.waitFor(async () => expect(await shown(server)).toMatchObject([why]), SOON);
  const everything = JSON.stringify(await shown(server)) + server.stdout;
  expect(everything).not.toContain("swordfish-77");
});

test("an answer of 200 MB costs the agent process no 100 MB, and its run goes on with an error", async () => {
  await using config = await makeConfig();
  await using server = await startServer({ env: { CONFIG_DIR: config.path } });
  const rss = async () => (await server.processes("agent"))[0]?.rss_bytes ?? 0;
  await use(server, "echo");
  await vi.waitFor(async () => expect(await shown(server)).toMatchObject([{ calls: 1 }]), SOON);
  const before = await rss();
  let highest = before;
  const watch = setInterval(() => void rss().then((bytes) => (highest = Math.max(highest, bytes))), 100);

  const result = await use(server, "huge");
  await vi.waitFor(async () => expect(await shown(server)).toMatchObject([{ calls: 2 }]), SOON);
  highest = Math.max(highest, await rss());
  clearInterval(watch);

  expect(result).toContain("longer than the 4194304");
  expect(highest - before).toBeLessThan(100 * 1024 * 1024);
});

test.each(["agent", "primary"] as const)("kill -9 of the %s leaves nothing of an MCP server", async (kind) => {
  await using config = await makeConfig(["it"], [SCRIPT, "stubborn"]);
  await using server = await startServer({ env: { CONFIG_DIR: config.path } });
  const grandchildren = JSON.parse(await use(server, "grandchild")) as number[];
  await vi.waitFor(async () => expect(await shown(server)).toMatchObject([{ state: "ready" }]), SOON);
  const pids = [(await shown(server))[0]?.pid ?? 0, ...grandchildren];
  expect(aliveOf(pids)).toHaveLength(3);

  process.kill((await server.processes(kind))[0]?.pid ?? 0, "SIGKILL");

  await vi.waitFor(() => expect(aliveOf(pids)).toEqual([]), SOON);
});

test("an agent that names a server of nobody is refused at the start, by both names", async () => {
  await using config = await makeConfig(["it", "files"]);
  await using place = await makePlace();
  await using server = new Server(place, { env: { CONFIG_DIR: config.path } });

  expect(await server.exitCode()).toBe(78);
  expect(server.stderr).toContain("Agent `assistant`: there is no MCP server `files`");
});
