/**
 * nginx and Caddy in front of evenkeel, with the configurations of examples/proxies: plain, with TLS, and under a path. What a
 * way has to let through (streams as they come, sockets, keys) `evenkeel doctor` checks, as it does for users.
 */
import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { eventually } from "./testing/browser.ts";
import { blocksOf } from "./testing/doc-blocks.ts";
import { freePort } from "./testing/free-port.ts";
import { needs, program } from "./testing/program.ts";
import { startServer } from "./testing/server.ts";

const ROOT = resolve(import.meta.dirname, "..");
const KEY = "secret-of-the-app";
const run = promisify(execFile);

const server = await startServer({ key: KEY, env: { BASE_PATH: "/keel" } });
afterAll(() => server[Symbol.asyncDispose]());

/** Where a proxy of a test listens, and what it may write to. */
interface Place {
  readonly port: number;
  readonly folder: string;
}

interface Way {
  readonly title: string;
  readonly program: "nginx" | "caddy";
  readonly example: string;
  /** The example as a user would change it. */
  readonly adapt: (example: string, place: Place) => string;
  readonly scheme?: "https";
  readonly path?: string;
}

const WAYS: readonly Way[] = [
  { title: "nginx", program: "nginx", example: "nginx.conf", adapt: listenPlainly },
  {
    title: "nginx with TLS",
    program: "nginx",
    example: "nginx.conf",
    scheme: "https",
    adapt: (example, { port, folder }) =>
      example
        .replace("    listen 80;\n", "")
        .replace("# listen 443 ssl;", `listen 127.0.0.1:${port} ssl;`)
        .replaceAll(/# (ssl_certificate\w*) +\S+\/(\w+\.pem);/g, `$1 ${folder}/$2;`),
  },
  {
    title: "nginx under a path",
    program: "nginx",
    example: "nginx.conf",
    path: "/keel",
    adapt: (example, place) => listenPlainly(example, place).replace("location / {", "location /keel/ {"),
  },
  { title: "Caddy", program: "caddy", example: "Caddyfile", adapt: siteAt },
  {
    title: "Caddy under a path",
    program: "caddy",
    example: "Caddyfile",
    path: "/keel",
    adapt: (example, place) => siteAt(example, place).replace("reverse_proxy", "reverse_proxy /keel/*"),
  },
];

for (const way of WAYS) {
  const programs = way.scheme === "https" ? [way.program, "openssl"] : [way.program];
  test(`behind ${way.title} streams and sockets come as they should`, needs(...programs), async () => {
    await using front = await startProxy(way);
    const args = ["bin/evenkeel.js", "doctor", "--server", front.url, "--key", KEY];
    const env = { ...process.env, ...(front.ca && { NODE_EXTRA_CA_CERTS: front.ca }) };
    const { stdout } = await run(process.execPath, args, { cwd: ROOT, env });
    expect(stdout).not.toContain("BAD");
    // 20 tokens over a second; a proxy that buffers would deliver them at once.
    expect(Number(/events came over (\d+) ms/.exec(stdout)?.[1])).toBeGreaterThan(600);
    expect(await openAsPage(front)).toBe("open");
  });
}

test("the docs show the example of nginx as it is", async () => {
  const page = await readFile(join(ROOT, "docs/deployment.md"), "utf8");
  const [shown] = blocksOf(page).filter(({ language }) => language === "nginx");
  expect(`${shown?.code}\n`).toBe(await readFile(join(ROOT, "examples/proxies/nginx.conf"), "utf8"));
});

function listenPlainly(example: string, { port }: Place): string {
  return example.replace("listen 80;", `listen 127.0.0.1:${port};`);
}

function siteAt(example: string, { port }: Place): string {
  return example.replace("agents.example.com", `http://127.0.0.1:${port}`);
}

interface Front extends AsyncDisposable {
  readonly url: string;
  /** The file with the certificate that a client has to trust. */
  readonly ca: string | undefined;
}

/** A page of the proxy's own origin opens the socket: evenkeel must see the address that the browser sees. */
async function openAsPage({ url, ca }: Front): Promise<string> {
  const { origin } = new URL(url);
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/ws`, {
    headers: { Authorization: `Bearer ${KEY}`, Origin: origin },
    ...(ca && { ca: await readFile(ca) }),
  });
  const outcome = await Promise.race([
    once(socket, "open").then(() => "open"),
    once(socket, "unexpected-response").then(([, { statusCode }]) => String(statusCode)),
  ]);
  socket.terminate();
  return outcome;
}

async function startProxy(way: Way): Promise<Front> {
  const folder = await mkdtemp(join(tmpdir(), "evenkeel-proxy-"));
  const place = { port: await freePort(), folder };
  const example = await readFile(join(ROOT, "examples/proxies", way.example), "utf8");
  const config = join(folder, "config");
  const adapted = way.adapt(example.replace("127.0.0.1:8000", `127.0.0.1:${server.port}`), place);
  await writeFile(config, way.program === "nginx" ? nginxAround(adapted, folder) : `{\n\tadmin off\n}\n${adapted}`);
  const ca = way.scheme === "https" ? makeCertificate(folder) : undefined;
  const args = { nginx: ["-p", folder, "-c", config], caddy: ["run", "--adapter", "caddyfile", "--config", config] };
  const child = spawn(program(way.program), args[way.program], {
    env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder },
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const exited = once(child, "exit");
  const url = `${way.scheme ?? "http"}://127.0.0.1:${place.port}`;
  await eventually(() => isListening(place.port)).catch((error: unknown) => {
    child.kill("SIGKILL");
    throw new Error(`${way.title} does not serve: ${said}`, { cause: error });
  });
  const dispose = async () => {
    child.kill("SIGTERM");
    await exited;
    await rm(folder, { recursive: true });
  };
  return { url: `${url}${way.path ?? ""}`, ca, [Symbol.asyncDispose]: dispose };
}

/** What stands around a file of /etc/nginx/conf.d/, without anything of the system's. */
function nginxAround(example: string, folder: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `daemon off; error_log stderr; pid ${folder}/pid; events {}
    http { access_log off;
      ${temporary.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join("\n")}
      ${example} }`;
}

/** @returns the file with a certificate for 127.0.0.1 that is its own authority */
function makeCertificate(folder: string): string {
  const certificate = join(folder, "fullchain.pem");
  const files = ["-keyout", join(folder, "privkey.pem"), "-out", certificate];
  const names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  execFileSync("openssl", ["req", ...kind, ...files, ...names], { stdio: "ignore" });
  return certificate;
}

async function isListening(port: number): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.destroy();
}
