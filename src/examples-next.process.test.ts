/** Next.js itself, built and started as for production, with the handlers and rewrites of examples/next. */
import { Chat } from "@ai-sdk/react";
import { DefaultChatTransport, type UIMessage } from "ai";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Evenkeel } from "./client/client.ts";
import { eventually } from "./testing/browser.ts";
import { freePort } from "./testing/free-port.ts";
import { PIXEL } from "./testing/pictures.ts";
import { needs, program } from "./testing/program.ts";
import { startServer } from "./testing/server.ts";

const ROOT = resolve(import.meta.dirname, "..");
const KEY = "secret-of-the-app";
const BUILD_MS = 240_000;
const run = promisify(execFile);

describe("Next.js in front", needs("next"), () => {
  const stack = new AsyncDisposableStack();
  let url = "";

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), "evenkeel-next-"));
    stack.defer(() => rm(folder, { recursive: true, force: true }));
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    const server = stack.use(await startServer({ key: KEY, env: { CONFIG_DIR: await writeConfig(folder, url) } }));
    const app = join(folder, "app");
    await makeApp(app);
    const env = { ...process.env, EVENKEEL: `http://127.0.0.1:${server.port}`, EVENKEEL_KEY: KEY };
    stack.use(await startNext(app, port, { ...env, NODE_ENV: "production", NEXT_TELEMETRY_DISABLED: "1" }));
  }, BUILD_MS);
  afterAll(() => stack.disposeAsync());

  test("useChat streams, resumes and stops over the handlers, which know the key", async () => {
    const open = () =>
      new Chat<UIMessage>({ id: "next-1", transport: new DefaultChatTransport({ api: `${url}/api/chat` }) });

    const chat = open();
    await chat.sendMessage({ text: "count words: one two three" });
    expect(chat.error).toBeUndefined();
    expect(JSON.stringify(chat.lastMessage)).toContain("3");
    const { messages } = (await (await fetch(`${url}/api/chat/next-1/messages`)).json()) as { messages: UIMessage[] };
    expect(messages.map(({ role }) => role)).toEqual(["user", "assistant"]);

    void chat.sendMessage({ text: "/sim tokens=2000 rate=50" });
    // 40 s of text: what shows by now was not held back.
    await eventually(() => expect(JSON.stringify(chat.lastMessage)).toContain("tok9"));
    const again = open();
    void again.resumeStream();
    await eventually(() => expect(JSON.stringify(again.lastMessage)).toContain("tok9"));
    expect((await fetch(`${url}/api/chat/next-1/stream`, { method: "DELETE" })).status).toBe(204);
    await eventually(() => expect(again.status).toBe("ready"));
    expect((await fetch(`${url}/api/chat/next-1/stream`)).status).toBe(204);
  });

  test("a picture that was sent is read where its message says it is, and stays harmless", async () => {
    const chat = new Chat<UIMessage>({ id: "next-2", transport: new DefaultChatTransport({ api: `${url}/api/chat` }) });
    const data = `data:image/png;base64,${PIXEL}`;
    await chat.sendMessage({ text: "See", files: [{ type: "file", mediaType: "image/png", url: data }] });
    const { messages } = (await (await fetch(`${url}/api/chat/next-2/messages`)).json()) as { messages: UIMessage[] };
    const file = messages[0]?.parts.find((part) => part.type === "file");
    const { headers } = await fetch(`${url}${file?.url}`);
    expect(headers.get("content-type")).toBe("image/png");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("content-security-policy")).toContain("sandbox");
  });

  test("a page of Next's origin streams over the rewrites, with a key of its own", async () => {
    const asPage: typeof fetch = (input, init) =>
      fetch(input, { ...init, headers: { ...(init?.headers as object), Origin: url, "Accept-Encoding": "gzip, br" } });
    const client = new Evenkeel({ baseUrl: `${url}/agents`, apiKey: KEY, fetch: asPage });
    const cameAt: number[] = [];
    for await (const { type } of client.stream({ agent_id: "assistant", message: "/sim tokens=60 rate=30" }))
      if (type === "TEXT_MESSAGE_CONTENT") cameAt.push(performance.now());
    // Two seconds of text; in a buffer it would come at once.
    expect((cameAt.at(-1) ?? 0) - (cameAt[0] ?? 0)).toBeGreaterThan(1_000);
  });
});

/** The agents that `init` writes, and the origin of the app, which `rewrites` needs. @returns the folder */
async function writeConfig(folder: string, origin: string): Promise<string> {
  const config = join(folder, "config");
  await cp(join(ROOT, "templates/project/config"), config, { recursive: true });
  await writeFile(
    join(config, "access.ts"),
    `import { defineAccess } from "evenkeel";\nexport const access = defineAccess({ allowedOrigins: ["${origin}"] });`,
  );
  return config;
}

/** Next compiles nothing below `node_modules`, and takes no packages from outside its folder. */
async function makeApp(app: string): Promise<void> {
  await cp(join(ROOT, "examples/next"), app, { recursive: true });
  const packages = resolve(dirname(program("next")), "../next/node_modules");
  // Links are made at once; another file system has to copy.
  await run("cp", ["-al", packages, app]).catch(() => cp(packages, join(app, "node_modules"), { recursive: true }));
}

async function startNext(app: string, port: number, env: NodeJS.ProcessEnv): Promise<AsyncDisposable> {
  const next = [join(app, "node_modules/next/dist/bin/next")];
  await run(process.execPath, [...next, "build"], { cwd: app, env }).catch(
    (error: { stdout: string; stderr: string }) => {
      throw new Error(`Next does not build: ${error.stdout}\n${error.stderr}`);
    },
  );
  const child = spawn(process.execPath, [...next, "start", "-H", "127.0.0.1", "-p", String(port)], { cwd: app, env });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (said += text));
  const exited = once(child, "exit");
  const dispose = async () => {
    child.kill("SIGTERM");
    await exited;
  };
  await eventually(() => fetch(`http://127.0.0.1:${port}/api/chat/none/stream`)).catch(async (error: unknown) => {
    await dispose();
    throw new Error(`Next does not start: ${said}`, { cause: error });
  });
  return { [Symbol.asyncDispose]: dispose };
}
