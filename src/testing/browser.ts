/**
 * A real Chromium before a real server, for tests of the dashboard. It cannot reach any other host, and it records
 * everything that a good page never does: an error in the console, a violation of the CSP, a dialog, a request to
 * another host. Called by the *.browser.test.ts of src/dashboard.
 */
import chromium from "@sparticuz/chromium";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  chromium as playwright,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Page,
} from "playwright-core";
import { startServer, type Server, type ServerOptions } from "./server.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const CACHE = join(ROOT, "node_modules/.cache/chromium");
/** Where tests leave pictures for people to look at; Git ignores it. */
export const SCREENSHOTS = join(ROOT, "screenshots");
/** Time limit for one step on a page. On two busy cores, 100 ms of work can take a second. */
const PATIENCE_MS = 15_000;
const LOOK_MS = 50;

/** Repeats `check` until it no longer throws. Rejects with the last error. */
export async function eventually<T>(check: () => T | Promise<T>, patienceMs = PATIENCE_MS): Promise<T> {
  const startedAt = performance.now();
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() - startedAt > patienceMs) throw error;
    }
    await delay(LOOK_MS);
  }
}

/** A server and a browser for all tests of a file. */
export interface Site extends AsyncDisposable {
  readonly server: Server;
  readonly browser: SealedBrowser;
}

export async function openSite(options: ServerOptions = {}): Promise<Site> {
  assertBuilt();
  await using starting = new AsyncDisposableStack();
  // `allSettled` waits for both: if one fails, `starting` stops the other.
  const [server, browser] = await Promise.allSettled([startServer(options), openBrowser()]);
  if (server.status === "fulfilled") starting.use(server.value);
  if (browser.status === "fulfilled") starting.use(browser.value);
  if (server.status === "rejected") throw server.reason;
  if (browser.status === "rejected") throw browser.reason;
  const owned = starting.move();
  return { server: server.value, browser: browser.value, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Servers in tests serve the built page. If it was never built, each test would only say "not found". */
export function assertBuilt(): void {
  if (existsSync(join(ROOT, "dist/dashboard/index.html"))) return;
  throw new Error("The dashboard is not built, so there is no page to test. Run `npm run build` first.");
}

export class SealedBrowser implements AsyncDisposable {
  /** Every request to another host than 127.0.0.1, of pages and workers alike. */
  readonly foreign: readonly string[];
  readonly #browser: Browser;
  readonly #seal: Seal;

  /** Use `openBrowser`. */
  constructor(browser: Browser, seal: Seal) {
    this.#browser = browser;
    this.#seal = seal;
    this.foreign = seal.foreign;
  }

  /** A visitor with an own browser profile. */
  async visitor(url: string, options: BrowserContextOptions = {}): Promise<Visitor> {
    const context = await this.#browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    const visitor = new Visitor(context, url, this.foreign);
    await visitor.watch();
    return visitor;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    await this.#seal[Symbol.asyncDispose]();
  }
}

export class Visitor implements AsyncDisposable {
  readonly context: BrowserContext;
  readonly url: string;
  readonly #seen: string[] = [];
  readonly #foreign: readonly string[];
  readonly #foreignBefore: number;

  constructor(context: BrowserContext, url: string, foreign: readonly string[]) {
    this.context = context;
    this.url = url;
    this.#foreign = foreign;
    this.#foreignBefore = foreign.length;
  }

  /** Problems that none of our pages may have; empty is good. */
  get problems(): string[] {
    return [...this.#seen, ...this.#foreign.slice(this.#foreignBefore).map((url) => `foreign request: ${url}`)];
  }

  async watch(): Promise<void> {
    this.context.setDefaultTimeout(PATIENCE_MS);
    await this.context.exposeBinding("__problem", (_, what: string) => void this.#seen.push(what));
    await this.context.addInitScript(WATCH);
    this.context.on("weberror", (error) => this.#seen.push(`exception: ${error.error().message}`));
    this.context.on("console", (message) => {
      if (message.type() === "error") this.#seen.push(`console: ${message.text()} ${message.location().url}`);
    });
    this.context.on("dialog", (dialog) => {
      this.#seen.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss().catch(() => {});
    });
  }

  /** @param hash of the URL: "#/runs" */
  async open(hash = "#/"): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(`${this.url}/${hash}`);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context.close();
  }
}

/** Runs before every page's own code. An injected script would call one of these, or be stopped by the CSP. */
const WATCH = `
  for (const name of ["alert", "confirm", "prompt", "print", "pwned"]) {
    window[name] = (...args) => void window.__problem("script ran: " + name + "(" + args + ")");
  }
  addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
    window.__problem("CSP violation: " + violatedDirective + " " + blockedURI);
  });
`;

export async function openBrowser(): Promise<SealedBrowser> {
  await using starting = new AsyncDisposableStack();
  const seal = starting.use(await openSeal());
  const browser = await playwright.launch({
    executablePath: await unpack(),
    // The package's own flags are not used, because they include --single-process and --disable-web-security, which no
    // visitor has.
    args: [
      "--disable-gpu",
      "--font-render-hinting=none",
      `--proxy-server=127.0.0.1:${seal.port}`,
      "--proxy-bypass-list=127.0.0.1",
    ],
    // Tests run as root in containers, where Chromium's own sandbox cannot start.
    chromiumSandbox: false,
    handleSIGINT: false,
  });
  // From here on the browser's own dispose closes the proxy.
  starting.move();
  return new SealedBrowser(browser, seal);
}

/** A proxy for every host but our own. It notes each URL in `foreign` and refuses the request. */
interface Seal extends AsyncDisposable {
  readonly port: number;
  readonly foreign: string[];
}

async function openSeal(): Promise<Seal> {
  const foreign: string[] = [];
  const server = createServer((request, response) => {
    foreign.push(request.url ?? "");
    response.writeHead(502).end();
  });
  server.on("connect", (request, socket) => {
    foreign.push(request.url ?? "");
    socket.end("HTTP/1.1 502 Sealed\r\n\r\n");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return { port: (server.address() as AddressInfo).port, foreign, [Symbol.asyncDispose]: close };
}

/**
 * Unpacks Chromium below node_modules/.cache, where nobody else of this machine can put a binary for us to run. The
 * package itself unpacks to a fixed place in the temporary folder and takes a file there for a whole one: of two
 * test files that start at once, one would run half a browser. So each unpacks to a folder of its own, then renames it.
 */
async function unpack(): Promise<string> {
  const manifest = await readFile(join(ROOT, "node_modules/@sparticuz/chromium/package.json"), "utf8");
  const { version } = JSON.parse(manifest) as { version: string };
  const home = join(CACHE, version);
  const binary = join(home, "chromium");
  if (existsSync(binary)) return binary;
  await mkdir(CACHE, { recursive: true });
  const own = await mkdtemp(join(CACHE, "unpack-"));
  await unpackTo(own);
  // The rename fails when another test was first; its folder holds the same.
  await rename(own, home).catch(() => rm(own, { recursive: true }));
  return binary;
}

/** The package reads the path of the temporary folder only before its first wait. */
async function unpackTo(folder: string): Promise<void> {
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = folder;
  const unpacking = chromium.executablePath();
  if (before === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = before;
  await unpacking;
}

/** Saves a picture of the window for people to look at. */
export async function picture(page: Page, name: string): Promise<void> {
  await mkdir(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), animations: "disabled" });
}
