import { Router } from "@koa/router";
import Koa from "koa";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { createLog } from "../observe/log.ts";
import { DEFAULT_ACCESS } from "../core/access.ts";
import { LOCAL } from "../core/principal.ts";
import { parseSettings } from "../settings.ts";
import { startCluster } from "../testing/cluster.ts";
import type { AppRouter, RequestState, WorkerDeps } from "./context.ts";
import { answerErrors } from "./middleware/errors.ts";
import { identify } from "./middleware/identify.ts";
import { PageFiles } from "./page-files.ts";
import { dashboardRoutes } from "./routes/dashboard.ts";

const PAGE = "<!doctype html><title>evenkeel</title>";
const SCRIPT = "export const answer = 42;";

async function build(folder: string, page = PAGE): Promise<void> {
  await mkdir(join(folder, "assets"), { recursive: true });
  await writeFile(join(folder, "assets/main-AbC1_-.js"), SCRIPT);
  await writeFile(join(folder, "assets/main-AbC1_-.js.br"), brotliCompressSync(SCRIPT));
  await writeFile(join(folder, "assets/main-AbC1_-.js.gz"), gzipSync(SCRIPT));
  await writeFile(join(folder, "index.html"), page);
}

async function serve({ live = false } = {}) {
  await using starting = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "evenkeel-page-"));
  starting.defer(() => rm(folder, { recursive: true }));
  const router: AppRouter = new Router<RequestState>();
  const settings = { ...parseSettings("production", { LOG_LEVEL: "silent" }), reload: live };
  const deps = { settings, access: DEFAULT_ACCESS, log: await createLog(settings, "test") } as WorkerDeps;
  dashboardRoutes(router, deps, new PageFiles(folder, { live }));
  const app = new Koa<RequestState>();
  app.use(identify(deps, () => LOCAL));
  app.use(answerErrors(deps));
  app.use(router.routes());
  const answer = app.callback();
  const server = createServer((request, response) => void answer(request, response)).listen(0, "127.0.0.1");
  starting.use(server);
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const owned = starting.move();
  const get = (path: string, headers: Record<string, string> = {}) => fetch(`${url}${path}`, { headers });
  return { folder, get, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test("a browser revalidates the page each time, and its policy runs only our scripts", async () => {
  await using site = await serve();
  await build(site.folder);

  const response = await site.get("/", { Accept: "text/html,*/*" });

  expect(await response.text()).toBe(PAGE);
  expect(response.headers.get("cache-control")).toBe("no-cache");
  const policy = response.headers.get("content-security-policy");
  expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
  expect(policy).not.toContain("unsafe");
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
});

test("files with a hash in their name are kept for ever, and go out as the build compressed them", async () => {
  await using site = await serve();
  await build(site.folder);

  for (const encoding of ["br", "gzip"]) {
    const response = await site.get("/assets/main-AbC1_-.js", { "Accept-Encoding": encoding });
    expect([encoding, response.headers.get("content-encoding")]).toEqual([encoding, encoding]);
    expect(response.headers.get("cache-control")).toContain("immutable");
    expect(response.headers.get("content-type")).toContain("text/javascript");
    expect(response.headers.get("vary")).toBe("Accept-Encoding");
    expect(await response.text()).toBe(SCRIPT);
  }
  const plain = await site.get("/assets/main-AbC1_-.js", { "Accept-Encoding": "identity" });
  expect(plain.headers.get("content-encoding")).toBeNull();
  expect(await plain.text()).toBe(SCRIPT);
});

test("what a browser has already is not sent again", async () => {
  await using site = await serve();
  await build(site.folder);
  const etag = (await site.get("/")).headers.get("etag") ?? "";

  const response = await site.get("/", { "If-None-Match": etag, "Cache-Control": "max-age=0" });

  expect(response.status).toBe(304);
  expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
});

test("a page that is not built says how to build it, and is there once it is", async () => {
  await using site = await serve();

  const missing = await site.get("/");
  expect([missing.status, await missing.text()]).toEqual([503, expect.stringContaining("npm run build")]);

  await build(site.folder);
  expect(await (await site.get("/")).text()).toBe(PAGE);
});

test("a build in production changes nothing for a process that serves, in development everything", async () => {
  for (const [live, expected] of [
    [false, PAGE],
    [true, "new"],
  ] as const) {
    await using site = await serve({ live });
    await build(site.folder);
    await site.get("/");

    await build(site.folder, "new");
    // Two writes within one tick of the file system's clock would look like one write.
    await utimes(join(site.folder, "index.html"), 1, 1);

    expect(await (await site.get("/")).text()).toBe(expected);
  }
});

test.each(["/assets/%2e%2e%2findex.html", "/assets/missing.js", "/assets/main-AbC1_-.js.br"])(
  "%s is no file of the page",
  async (path) => {
    await using site = await serve();
    await build(site.folder);

    expect((await site.get(path)).status).toBe(404);
  },
);

test("a program that asks for JSON at the door gets the index", async () => {
  await using cluster = await startCluster({ runner: false });

  const { status, body } = await cluster.client.get("/", { Accept: "application/json" });

  expect(status).toBe(200);
  expect(body).toMatchObject({ name: "evenkeel", see: expect.arrayContaining(["/api/runs"]) });
});

test("with keys the page's files need none, the index does", async () => {
  await using cluster = await startCluster({
    runner: false,
    settings: { apiKeys: [{ name: "ana", secret: "ana-secret-1" }] },
  });
  const statusOf = async (headers: Record<string, string>) => (await fetch(cluster.client.url, { headers })).status;

  expect(await statusOf({ Accept: "text/html" })).not.toBe(401);
  expect(await statusOf({ Accept: "application/json" })).toBe(401);
  expect(await statusOf({ Accept: "application/json", Authorization: "Bearer ana-secret-1" })).toBe(200);
  expect(await statusOf({ Accept: "text/html", Authorization: "Bearer wrong" })).toBe(401);
});
