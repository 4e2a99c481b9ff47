/** Proof with published servers of other authors: over stdio, over HTTP, and through a whole chat. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { expect, test } from "vitest";
import { defineAgents } from "../../core/agent.ts";
import { defineMcpServers, type McpServerConfig } from "../../core/mcp-servers.ts";
import { whyUnreadable } from "../../core/picture.ts";
import { programEnv } from "../../environment.ts";
import { startCluster } from "../../testing/cluster.ts";
import { freePort } from "../../testing/free-port.ts";
import type { ReadEvent } from "../../testing/journal.ts";
import type { CallContext } from "../tools/invoke.ts";
import { ManagedServers } from "./servers.ts";

const { resolve } = createRequire(import.meta.url);
const EVERYTHING = resolve("@modelcontextprotocol/server-everything/dist/index.js");
const FILES = resolve("@modelcontextprotocol/server-filesystem/dist/index.js");
const { signal } = new AbortController();

const resultsIn = (events: readonly ReadEvent[]) =>
  events.filter(({ type }) => type === "TOOL_CALL_RESULT").map(({ content }) => content ?? "");

async function makeFolder() {
  const path = await mkdtemp(join(tmpdir(), "evenkeel-mcp-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

async function offered(config: McpServerConfig) {
  const log = pino({ level: "silent" });
  const servers = new ManagedServers({ servers: defineMcpServers({ all: config }), env: programEnv(), log });
  const { tools, missing } = await servers.offer(["all"], signal);
  const call = (name: string, input: unknown) =>
    tools.get(`all__${name}`)?.invoke(input, { signal, report: () => {} } as unknown as CallContext) ??
    Promise.reject(new Error(`no ${name}`));
  return { servers, tools, missing, call, [Symbol.asyncDispose]: () => servers.stop() };
}

test("a chat reads and writes files through server-filesystem, within the folder that it was given", async () => {
  await using folder = await makeFolder();
  await writeFile(join(folder.path, "note.txt"), "the keel is even");
  await using cluster = await startCluster({
    agents: defineAgents({ assistant: { model: "m", mcp: ["files"] } }),
    mcpServers: defineMcpServers({ files: { command: process.execPath, args: [FILES, folder.path] } }),
  });
  const use = async (tool: string, input: object) => {
    const { body } = await cluster.client.chat(`/sim tool=files__${tool} input=${JSON.stringify(input)}`);
    return resultsIn(await cluster.client.events(body.run_id));
  };

  expect(await use("read_text_file", { path: join(folder.path, "note.txt") })).toEqual(["the keel is even"]);
  await use("write_file", { path: join(folder.path, "new.txt"), content: "written" });
  expect(await readFile(join(folder.path, "new.txt"), "utf8")).toBe("written");
  expect(await use("read_text_file", { path: "/etc/passwd" })).toEqual([expect.stringContaining("denied")]);
});

test("server-everything over stdio: arguments, progress, pictures, resources and errors", async () => {
  await using all = await offered({ command: process.execPath, args: [EVERYTHING, "stdio"] });

  expect(await all.call("echo", { message: "hello" })).toEqual({ content: "Echo: hello", isError: false });
  expect(await all.call("get-sum", { a: 19, b: 23 })).toMatchObject({ content: expect.stringContaining("42") });
  expect(await all.call("get-sum", { a: "x" })).toMatchObject({ isError: true });
  expect(await all.call("trigger-long-running-operation", { duration: 1, steps: 4 })).toMatchObject({ isError: false });
  const picture = (await all.call("get-tiny-image", {})).content as readonly { type: string; data?: string }[];
  expect(picture.map(({ type }) => type)).toEqual(["text", "media", "text"]);
  expect(whyUnreadable("image/png", Buffer.from(picture[1]?.data ?? "", "base64"))).toBeUndefined();
  expect((await all.call("get-resource-links", { count: 2 })).content).toContain("[resource demo://");
});

test("server-everything over streamable HTTP answers the same, and its end and a lost session are outlived", async () => {
  const port = await freePort();
  const start = async () => {
    const child = spawn(process.execPath, [EVERYTHING, "streamableHttp"], {
      env: { ...programEnv(), PORT: String(port) },
      stdio: ["ignore", "ignore", "pipe"],
    });
    await once(child.stderr, "data");
    return child;
  };
  let program = await start();
  try {
    await using all = await offered({ url: `http://127.0.0.1:${port}/mcp` });
    expect(await all.call("echo", { message: "hello" })).toEqual({ content: "Echo: hello", isError: false });
    expect(await all.call("trigger-long-running-operation", { duration: 1, steps: 4 })).toMatchObject({
      isError: false,
    });

    program.kill("SIGKILL");
    await once(program, "exit");
    expect(await all.call("echo", { message: "hello" })).toMatchObject({ isError: true });
    program = await start();

    await expect
      .poll(() => all.call("echo", { message: "again" }), { timeout: 10_000 })
      .toEqual({ content: "Echo: again", isError: false });

    program.kill("SIGKILL");
    await once(program, "exit");
    program = await start();
    // The program that answers has never heard of the session.
    expect(await Promise.all(["one", "two"].map((message) => all.call("echo", { message })))).toEqual([
      { content: "Echo: one", isError: false },
      { content: "Echo: two", isError: false },
    ]);
  } finally {
    program.kill("SIGKILL");
  }
});
