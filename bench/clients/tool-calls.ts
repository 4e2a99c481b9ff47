/**
 * Calls a tool that does nothing, one call after another, as an agent process does: on its event loop, in a thread, in
 * a process, and over MCP. It also calls it with only the MCP client. Runs in a process of its own.
 */
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { createRequire } from "node:module";
import { pino } from "pino";
import { ManagedServers } from "../../src/agent/mcp/servers.ts";
import { Hosts } from "../../src/agent/tools/hosts/hosts.ts";
import { inlineTool } from "../../src/agent/tools/inline.ts";
import type { Invoke } from "../../src/agent/tools/invoke.ts";
import { defineMcpServers } from "../../src/core/mcp-servers.ts";
import { programEnv } from "../../src/environment.ts";
import { callContext } from "../../src/testing/call-context.ts";
import { tool as echo } from "../config/tools/echo.ts";
import { serveJobs } from "../lib/jobs.ts";

const WAYS = ["inline", "thread", "process", "MCP", "bare MCP client"] as const;
export type Way = (typeof WAYS)[number];

export interface ToolCallsJob {
  readonly way: Way;
  readonly calls: number;
}

export interface ToolCallsResult {
  /** Duration of the first call, which also starts the thread or process. */
  readonly coldMs: number;
  readonly warmMs: readonly number[];
}

const ECHO = new URL("../config/tools/echo.ts", import.meta.url).href;
const SERVER = createRequire(import.meta.url).resolve("@modelcontextprotocol/server-everything/dist/index.js");
const INPUT = { message: "hello" };

interface Opened extends AsyncDisposable {
  call(): Promise<unknown>;
}

serveJobs(async ({ way, calls }: ToolCallsJob): Promise<ToolCallsResult> => {
  await using opened = open(way);
  const timed = async () => {
    const startedAt = performance.now();
    const answer = await opened.call();
    if (!JSON.stringify(answer).includes("hello")) throw new Error(`${way}: got ${JSON.stringify(answer)}`);
    return performance.now() - startedAt;
  };
  const coldMs = await timed();
  const warmMs: number[] = [];
  while (warmMs.length < calls) warmMs.push(await timed());
  return { coldMs, warmMs };
});

function open(way: Way): Opened {
  if (way === "inline") return { ...calling(inlineTool(echo).invoke), [Symbol.asyncDispose]: async () => {} };
  if (way === "thread" || way === "process") return openHosted(way);
  return way === "MCP" ? openMcp() : openBareMcp();
}

function openHosted(isolation: "thread" | "process"): Opened {
  const hosts = new Hosts(pino({ level: "silent" }));
  const { effects, timeoutMs, memoryMb } = echo;
  const invoke = hosts.add({ name: "echo", source: ECHO, effects, isolation, timeoutMs, memoryMb, env: programEnv() });
  return { ...calling(invoke), [Symbol.asyncDispose]: () => hosts.stop() };
}

function openMcp(): Opened {
  const servers = new ManagedServers({
    servers: defineMcpServers({ all: { command: process.execPath, args: [SERVER] } }),
    env: programEnv(),
    log: pino({ level: "silent" }),
  });
  const call = async () => {
    const { tools } = await servers.offer(["all"], new AbortController().signal);
    return tools.get("all__echo")?.invoke(INPUT, callContext());
  };
  return { call, [Symbol.asyncDispose]: () => servers.stop() };
}

function openBareMcp(): Opened {
  const client = new Client({ name: "bench", version: "1" });
  const transport = new StdioClientTransport({ command: process.execPath, args: [SERVER], stderr: "ignore" });
  let connected: Promise<void> | undefined;
  const call = async () => {
    await (connected ??= client.connect(transport));
    return client.callTool({ name: "echo", arguments: INPUT });
  };
  return { call, [Symbol.asyncDispose]: () => client.close() };
}

function calling(invoke: Invoke): Pick<Opened, "call"> {
  return { call: () => invoke(INPUT, callContext()) };
}
