import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pino } from "pino";
import { expect, onTestFinished, test, vi } from "vitest";
import type { McpReport } from "../../api/mcp.ts";
import { defineMcpServers, type McpServerConfig } from "../../core/mcp-servers.ts";
import { programEnv } from "../../environment.ts";
import { refusalOf } from "../../simulator/validate.ts";
import { PIXEL } from "../../testing/pictures.ts";
import { aliveOf } from "../../testing/processes.ts";
import { failure, type CallContext } from "../tools/invoke.ts";
import { describeTools } from "../tools/registry.ts";
import { ManagedServers } from "./servers.ts";

const SCRIPT = join(import.meta.dirname, "fixtures/scripted-server.ts");

/** The scripted server under the name `it`, in a set of servers that is stopped at the end of the test. */
function start(config: Partial<McpServerConfig> & { readonly mode?: string } = {}) {
  const { mode = "", ...more } = config;
  const lines: string[] = [];
  const described = { command: process.execPath, args: [SCRIPT, mode], ...more };
  const servers = new ManagedServers({
    servers: defineMcpServers({ it: described }),
    env: programEnv(),
    log: pino({}, { write: (line: string) => void lines.push(line) }),
  });
  const { signal } = new AbortController();
  const call = async (name: string, input: unknown = {}, context: Partial<CallContext> = {}) => {
    const { tools } = await servers.offer(["it"], signal);
    const tool = tools.get(`it__${name}`);
    return tool
      ? tool.invoke(input, { signal, report: () => {}, ...context } as CallContext)
      : failure(`no it__${name}`);
  };
  const report = () => servers.report()[0] as McpReport;
  return { servers, call, report, signal, lines, [Symbol.asyncDispose]: () => servers.stop() };
}

test("nothing is started before its tools are needed, and then they have the server's name in front", async () => {
  await using it = start();
  expect(it.report()).toMatchObject({ state: "idle", pid: null, starts: 0 });

  const { tools } = await it.servers.offer(["it"], it.signal);

  expect([...tools.keys()].slice(0, 2)).toEqual(["it__echo", "it__slow"]);
  expect(tools.get("it__echo")).toMatchObject({ description: "Does echo.", effects: "pure" });
  expect(tools.get("it__slow")?.effects).toBe("idempotent");
  expect(tools.get("it__exit")?.effects).toBe("unsafe");
  expect(it.report()).toMatchObject({ state: "ready", pid: expect.any(Number), starts: 1 });
});

test("a call brings the server's answer, and is counted with how long it took", async () => {
  await using it = start();

  expect(await it.call("echo", { text: "hello" })).toEqual({ content: "hello", isError: false });
  expect(await it.call("fail")).toEqual({ content: "no such thing", isError: true });

  expect(it.report()).toMatchObject({
    calls: 2,
    failed_calls: 0,
    in_flight: 0,
    latency_ms: { p50: expect.any(Number) },
  });
});

test("what is no object is refused before the server sees it", async () => {
  await using it = start();

  expect(await it.call("echo", "hello")).toMatchObject({
    isError: true,
    content: expect.stringContaining("an object"),
  });
  expect(it.report().calls).toBe(0);
});

test("only the tools that config/mcp.ts lets through are offered", async () => {
  await using it = start({ tools: ["echo", "slow"] });

  const { tools } = await it.servers.offer(["it"], it.signal);

  expect([...tools.keys()]).toEqual(["it__echo", "it__slow"]);
});

test("a tool that the model's API would refuse is left out and named, and the others are offered", async () => {
  await using it = start({ mode: "odd" });

  const { tools } = await it.servers.offer(["it"], it.signal);

  expect([...tools.keys()].slice(0, 3)).toEqual(["it__a_b", "it__choice", "it__more_0"]);
  const offered = describeTools(tools);
  const request = {
    model: "m",
    max_tokens: 1,
    stream: true,
    messages: [{ role: "user", content: "hi" }],
    tools: offered,
  };
  expect(refusalOf(request)).toBeUndefined();
  const warning = it.lines.find((line) => line.includes("not offered"));
  expect(JSON.parse(warning ?? "{}")).toMatchObject({
    left_out: [
      "a/b: another tool is it__a_b already.",
      `${"n".repeat(130)}: its name is too long.`,
      'umlaut: the model takes no argument named "größe".',
      "Only the first 256 of its 320 tools are taken.",
    ],
  });
});

test.each([
  [401, "it refuses us (HTTP 401); see its `headers` in config/mcp.ts"],
  [404, "it answered HTTP 404; see its `url` in config/mcp.ts"],
])("an address that answers %i is told with what to do", async (status, reason) => {
  const server = createServer((_, response) => void response.writeHead(status).end("no")).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  await using it = start({
    command: undefined,
    args: undefined,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  });

  await it.servers.offer(["it"], it.signal);

  expect(it.report()).toMatchObject({ state: "failed", reason: expect.stringContaining(reason) });
});

test("pictures and resources are passed on", async () => {
  await using it = start();

  const { content } = await it.call("picture");

  expect(content).toEqual([
    { type: "media", data: PIXEL },
    { type: "text", text: "[resource file:///a.txt, text/plain]\nhello" },
    { type: "text", text: "[resource file:///a.png]" },
    { type: "media", data: PIXEL },
    { type: "text", text: "[resource file:///b.txt, b]" },
    { type: "text", text: "[audio, audio/wav, 3 bytes]" },
  ]);
});

test("a program sees an allow-list of our environment, and what it was given", async () => {
  vi.stubEnv("CANARY_SECRET", "canary-8c1f");
  await using it = start({ env: { GREETING: "hello" } });

  const { content } = await it.call("env");

  expect(content).not.toContain("canary-8c1f");
  expect(JSON.parse(content as string)).toMatchObject({ GREETING: "hello", PATH: expect.any(String) });
  vi.unstubAllEnvs();
});

test("a tool that is new in the server's list is offered from then on", async () => {
  await using it = start();
  await it.call("grow");

  await vi.waitFor(async () =>
    expect([...(await it.servers.offer(["it"], it.signal)).tools.keys()]).toContain("it__grown"),
  );
});

test("a server that exits in a call is an error at once, without its secrets, and is started again", async () => {
  await using it = start({ env: { TOKEN: "swordfish-77" } });

  const result = await it.call("exit");

  expect(result).toEqual({
    content: "MCP server it ended while the call ran: it exited with code 3. Its outcome is unknown.",
    isError: true,
  });
  expect(it.report()).toMatchObject({
    state: "failed",
    reason: "it exited with code 3",
    next_try_ms: expect.any(Number),
    stderr: expect.stringContaining("the token is [TOKEN]"),
  });
  await vi.waitFor(() => expect(it.report()).toMatchObject({ state: "ready", starts: 2 }), { timeout: 5_000 });
  expect(await it.call("echo", { text: "back" })).toMatchObject({ content: "back" });
});

test("a call without an answer ends at its time, and the server is told to cancel it", async () => {
  await using it = start({ callTimeoutMs: 200 });

  const result = await it.call("silent");

  expect(result).toMatchObject({ isError: true, content: expect.stringContaining("for 200 ms") });
  await vi.waitFor(() => expect(it.report().stderr).toContain("canceled"));
  // The server answers a ping, so it is left alone.
  expect(it.report()).toMatchObject({ state: "ready", starts: 1 });
});

test("what a server says of its progress is passed on", async () => {
  await using it = start();
  const report = vi.fn<CallContext["report"]>();

  await it.call("slow", { ms: 100 }, { report });

  expect(report.mock.calls.map(([{ type }]) => type)).toEqual(["progress", "progress"]);
  expect(report).toHaveBeenCalledWith({ type: "progress", progress: "at work" });
});

test("a caller's own time limit counts in place of the server's", async () => {
  await using it = start();

  expect(await it.call("silent", {}, { timeoutMs: 150 })).toMatchObject({
    isError: true,
    content: expect.stringContaining("for 150 ms"),
  });
});

test("progress begins the time of a call anew, up to the ceiling", async () => {
  await using it = start({ callTimeoutMs: 300, maxCallMs: 1_200 });

  expect(await it.call("slow", { ms: 700 })).toEqual({ content: "done", isError: false });
  expect(await it.call("slow", { ms: 60_000 })).toMatchObject({ isError: true });
});

test("a call whose run is canceled ends at once, and the server is told", async () => {
  await using it = start();
  const cancel = new AbortController();
  await it.call("echo");

  const calling = it.call("silent", {}, { signal: cancel.signal });
  await vi.waitFor(() => expect(it.report().in_flight).toBe(1));
  cancel.abort(new Error("canceled"));

  expect(await calling).toMatchObject({ isError: true });
  await vi.waitFor(() => expect(it.report().stderr).toContain("canceled"));
});

test("a server that hangs is started again once its last call has timed out", async () => {
  await using it = start({ callTimeoutMs: 200 });

  await it.call("hang");

  await vi.waitFor(() => expect(it.report()).toMatchObject({ state: "ready", starts: 2 }), { timeout: 15_000 });
  expect(it.report().reason).toBe("it did not answer any more");
});

test("noise on stdout is kept for people and hurts no call", async () => {
  await using it = start();

  expect(await it.call("noise")).toMatchObject({ content: "through the noise" });
  expect(it.report().stderr).toContain("[stdout] Debugger attached.");
});

test("an answer of 200 MB is an error of its call alone, and costs no 100 MB here", async () => {
  await using it = start();
  await it.call("echo");
  const before = process.memoryUsage.rss();
  const other = it.call("slow", { ms: 300 });

  const result = await it.call("huge");
  const grownBytes = process.memoryUsage.rss() - before;

  expect(result).toMatchObject({ isError: true, content: expect.stringContaining("longer than the 4194304") });
  expect(await other).toMatchObject({ content: "done" });
  // Chunks that were read and are garbage by now count as well: 53 to 63 MB of an answer of 50 MB.
  expect(grownBytes).toBeLessThan(100 * 1024 * 1024);
  expect(it.report()).toMatchObject({ state: "ready", starts: 1 });
});

test("a server that floods is read no faster than is good for the event loop", async () => {
  await using it = start();
  await it.call("echo");
  const flooding = it.call("flood").catch(() => {});
  const lateMs: number[] = [];

  for (let turn = 0; turn < 50; turn += 1) {
    const due = performance.now() + 10;
    await delay(10);
    lateMs.push(performance.now() - due);
  }

  // When a flood keeps the loop busy, it is late again and again; a loop that shares its cores is late only now and
  // then.
  const median = lateMs.toSorted((a, b) => a - b)[lateMs.length / 2];
  expect(median).toBeLessThan(30);
  await it.servers.stop();
  await flooding;
});

test("thousands of messages at once end in the answer behind them", async () => {
  await using it = start();

  expect(await it.call("burst")).toMatchObject({ content: "after the burst" });
});

test.each([
  { content: [{ type: "image", mimeType: "image/png" }] },
  { content: null },
  { content: [{ type: "hologram" }] },
  { content: [{ type: "resource", resource: { uri: "a:b", blob: "not base64" } }] },
])("a result that does not fit the protocol fails its own call alone: %j", async (result) => {
  await using it = start();
  const slow = it.call("slow", { ms: 500 });

  const malformed = await it.call("malformed", { text: JSON.stringify(result) });

  expect(malformed).toMatchObject({ isError: true, content: expect.stringContaining("no result of a tool") });
  expect(await slow).toMatchObject({ isError: false, content: "done" });
  expect(it.report()).toMatchObject({ state: "ready", starts: 1 });
});

test("one slow call delays no other, of the same server or another", async () => {
  await using it = start();
  const slow = it.call("slow", { ms: 2_000 });
  await it.call("echo");

  const begunAt = performance.now();
  await Promise.all(Array.from({ length: 20 }, (_, at) => it.call("echo", { text: String(at) })));

  expect(performance.now() - begunAt).toBeLessThan(500);
  await slow;
});

test("nothing that a server started is left when it is stopped, not even what left its group", async () => {
  await using it = start({ mode: "stubborn" });
  const { content } = await it.call("grandchild");
  const pids = [...(JSON.parse(content as string) as number[]), it.report().pid ?? 0];
  expect(aliveOf(pids)).toHaveLength(3);

  await it.servers.stop();

  expect(aliveOf(pids)).toEqual([]);
});

test("nothing that a server started is left when it exits by itself", async () => {
  await using it = start();
  const { content } = await it.call("grandchild");
  const pids = JSON.parse(content as string) as number[];

  await it.call("exit");

  await vi.waitFor(() => expect(aliveOf(pids)).toEqual([]), { timeout: 5_000 });
});

test("a command that is not found is said so, to the agent too, and tried again with backoff", async () => {
  await using it = start({ command: "no-such-program", args: [] });

  const { tools, missing } = await it.servers.offer(["it"], it.signal);

  expect(tools.size).toBe(0);
  expect(missing).toEqual([expect.stringMatching(/^The tools of it are not available now: its command was not found/)]);
  await vi.waitFor(() => expect(it.report().starts).toBeGreaterThan(2), { timeout: 5_000 });
  const begunAt = performance.now();
  await it.servers.offer(["it"], it.signal);
  expect(performance.now() - begunAt).toBeLessThan(50);
});

test.each([
  ["mute", 400, "it did not answer within 400 ms"],
  ["stillborn", 20_000, "it ended before its handshake (exit code 5)"],
])("a %s server offers nothing, with the reason", async (mode, startTimeoutMs, reason) => {
  await using it = start({ mode, startTimeoutMs });

  const { missing } = await it.servers.offer(["it"], it.signal);

  expect(missing).toEqual([expect.stringContaining(reason)]);
});

test("a restart ends the old program before the new one begins", async () => {
  await using it = start();
  await it.call("echo");
  const old = it.report().pid ?? 0;

  expect(await it.servers.restart("it")).toBe(true);

  expect(aliveOf([old])).toEqual([]);
  expect(it.report()).toMatchObject({ state: "ready", starts: 2 });
  expect(await it.servers.restart("nobody")).toBe(false);
});

test("a call in the middle of a restart waits until the old program has ended", async () => {
  // This one has to be killed.
  await using it = start({ mode: "stubborn" });
  await it.call("echo");
  const old = it.report().pid ?? 0;

  const restarted = it.servers.restart("it");
  expect(it.report().state).toBe("starting");
  expect(await it.call("echo", { text: "anew" })).toEqual({ content: "anew", isError: false });

  expect(aliveOf([old])).toEqual([]);
  await restarted;
  expect(it.report()).toMatchObject({ state: "ready", starts: 2 });
});

test("a program that hangs has ended before the next one begins", async () => {
  await using it = start({ mode: "stubborn", callTimeoutMs: 200 });
  await it.call("echo");
  const old = it.report().pid ?? 0;

  await it.call("hang");
  await vi.waitFor(() => expect(it.report()).toMatchObject({ state: "ready", starts: 2 }), { timeout: 15_000 });

  expect(aliveOf([old])).toEqual([]);
});

test("a server is stopped in the middle of its start", async () => {
  await using it = start({ mode: "mute" });
  const offering = it.servers.offer(["it"], it.signal);

  await it.servers.stop();

  expect(await offering).toMatchObject({ missing: [expect.stringContaining("stopping")] });
});
