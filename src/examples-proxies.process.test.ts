/** The examples that stand between a browser and evenkeel: nginx, Caddy, and Next's handlers. */
import { Chat } from "@ai-sdk/react";
import { DefaultChatTransport, type UIMessage } from "ai";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { afterAll, expect, test, vi } from "vitest";
import { Evenkeel } from "./client/client.ts";
import { eventually } from "./testing/browser.ts";
import { freePort } from "./testing/free-port.ts";
import { needs, program } from "./testing/program.ts";
import { startServer } from "./testing/server.ts";

const ROOT = resolve(import.meta.dirname, "..");
const KEY = "secret-of-the-app";
const run = promisify(execFile);

const server = await startServer({ key: KEY });
afterAll(() => server[Symbol.asyncDispose]());

interface Proxy {
  readonly name: string;
  /** The example with its port and ours, and what it needs around it. */
  readonly configOf: (example: string, port: number, folder: string) => string;
  readonly args: (config: string, folder: string) => string[];
}

const PROXIES: readonly Proxy[] = [
  {
    name: "nginx",
    configOf: (example, port, folder) =>
      `daemon off; error_log stderr; pid ${folder}/pid; events {}
       http { access_log off;
         ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder}/${kind};`).join("\n")}
         ${example.replace("listen 80;", `listen 127.0.0.1:${port};`)} }`,
    args: (config, folder) => ["-p", folder, "-c", config],
  },
  {
    name: "caddy",
    configOf: (example, port) =>
      `{\n\tadmin off\n}\n${example.replace("agents.example.com", `http://127.0.0.1:${port}`)}`,
    args: (config) => ["run", "--adapter", "caddyfile", "--config", config],
  },
];

const EXAMPLES = { nginx: "nginx.conf", caddy: "Caddyfile" } as Readonly<Record<string, string>>;

for (const proxy of PROXIES) {
  test(`behind ${proxy.name} streams, sockets and waiting replies come as they should`, needs(proxy.name), async () => {
    await using front = await startProxy(proxy);
    const { stdout } = await run(process.execPath, ["bin/evenkeel.js", "doctor", "--server", front.url, "--key", KEY], {
      cwd: ROOT,
    });
    expect(stdout).not.toContain("BAD");
    expect(stdout).toMatch(/^ok .*socket/im);

    const client = new Evenkeel({ baseUrl: front.url, apiKey: KEY });
    const said: string[] = [];
    for await (const event of client.stream({ agent_id: "assistant", message: "/sim tokens=40 rate=200" }))
      if (event.type === "TEXT_MESSAGE_CONTENT") said.push(event.delta);
    expect(said.join("")).toContain("tok40");
    // Frames cover about 20 ms each; a proxy that buffers would join them into few.
    expect(said.length).toBeGreaterThan(4);
  });
}

test("useChat works against Next's route handlers, which know the key", async () => {
  vi.stubEnv("EVENKEEL", `http://127.0.0.1:${server.port}`);
  vi.stubEnv("EVENKEEL_KEY", KEY);
  const chats = await import("../examples/next/app/api/chat/route.ts");
  const streams = await import("../examples/next/app/api/chat/[id]/stream/route.ts");
  await using app = await serve(async (request) => {
    const [, id] = /^\/api\/chat\/([^/]+)\/stream$/.exec(new URL(request.url).pathname) ?? [];
    if (id === undefined) return chats.POST(request);
    const handler = request.method === "DELETE" ? streams.DELETE : streams.GET;
    return handler(request, { params: Promise.resolve({ id: decodeURIComponent(id) }) });
  });
  const open = () =>
    new Chat<UIMessage>({ id: "next-1", transport: new DefaultChatTransport({ api: `${app.url}/api/chat` }) });

  const chat = open();
  await chat.sendMessage({ text: "calculate 6 * 7" });
  expect(chat.error).toBeUndefined();
  expect(JSON.stringify(chat.lastMessage)).toContain("42");

  void chat.sendMessage({ text: "/sim tokens=2000 rate=50" });
  await eventually(() => expect(JSON.stringify(chat.lastMessage)).toContain("tok9"));
  const again = open();
  void again.resumeStream();
  await eventually(() => expect(JSON.stringify(again.lastMessage)).toContain("tok9"));
  expect((await fetch(`${app.url}/api/chat/next-1/stream`, { method: "DELETE" })).status).toBe(204);
  await eventually(() => expect(again.status).toBe("ready"));
  expect((await fetch(`${app.url}/api/chat/next-1/stream`)).status).toBe(204);
});

async function startProxy({ name, configOf, args }: Proxy): Promise<{ readonly url: string } & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), `evenkeel-${name}-`));
  const port = await freePort();
  const example = await readFile(join(ROOT, "examples/proxies", EXAMPLES[name] ?? ""), "utf8");
  const config = join(folder, "config");
  await writeFile(config, configOf(example.replace("127.0.0.1:8000", `127.0.0.1:${server.port}`), port, folder));
  const child = spawn(program(name), args(config, folder), {
    env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder },
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const exited = once(child, "exit");
  const url = `http://127.0.0.1:${port}`;
  await eventually(() => fetch(`${url}/health`)).catch((error: unknown) => {
    child.kill("SIGKILL");
    throw new Error(`${name} does not serve: ${said}`, { cause: error });
  });
  const dispose = async () => {
    child.kill("SIGTERM");
    await exited;
    await rm(folder, { recursive: true });
  };
  return { url, [Symbol.asyncDispose]: dispose };
}

/** Calls a handler as Next does: with a Request of the web, for a Response. */
async function serve(
  handle: (request: Request) => Promise<Response>,
): Promise<{ readonly url: string } & AsyncDisposable> {
  const onRequest = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const gone = new AbortController();
    outgoing.on("close", () => gone.abort());
    const { method = "GET", url = "/" } = incoming;
    const body = Buffer.concat(await Array.fromAsync(incoming as AsyncIterable<Buffer>));
    const init = { method, signal: gone.signal, ...(body.length > 0 && { body }) };
    const response = await handle(new Request(`http://localhost${url}`, init));
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    if (response.body) await pipeline(Readable.fromWeb(response.body as never), outgoing);
    else outgoing.end();
  };
  // A browser that hangs up is no failure.
  const app = createServer((incoming, outgoing) => void onRequest(incoming, outgoing).catch(() => outgoing.destroy()));
  await once(app.listen(0, "127.0.0.1"), "listening");
  const dispose = async () => {
    app.close();
    app.closeAllConnections();
    await once(app, "close");
  };
  return { url: `http://127.0.0.1:${(app.address() as AddressInfo).port}`, [Symbol.asyncDispose]: dispose };
}
