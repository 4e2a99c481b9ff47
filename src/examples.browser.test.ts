/** The examples that are pages, in a real Chromium, before a real server. */
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Page } from "playwright-core";
import { createServer, type InlineConfig, type ViteDevServer } from "vite";
import { afterAll, expect, test } from "vitest";
import { eventually, openSite } from "./testing/browser.ts";
import { blocksOf } from "./testing/doc-blocks.ts";

const EXAMPLES = resolve(import.meta.dirname, "../examples");

const site = await openSite();
afterAll(() => site[Symbol.asyncDispose]());
const { server, browser } = site;

/** The page as `npx vite` serves it with the examples' own configuration. */
function serve(example: string): Promise<ViteDevServer & AsyncDisposable> {
  process.env["EVENKEEL"] = `http://127.0.0.1:${server.port}`;
  return listen({
    root: join(EXAMPLES, example),
    configFile: join(EXAMPLES, "vite.config.ts"),
    cacheDir: resolve(EXAMPLES, "../node_modules/.cache/examples", example),
  });
}

async function listen(options: InlineConfig): Promise<ViteDevServer & AsyncDisposable> {
  const vite = await createServer({
    ...options,
    logLevel: "silent",
    server: { host: "127.0.0.1", port: 0, hmr: false },
  });
  await vite.listen();
  return Object.assign(vite, { [Symbol.asyncDispose]: () => vite.close() });
}

async function makeTemporary() {
  const path = await mkdtemp(join(tmpdir(), "evenkeel-page-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

function urlOf({ resolvedUrls }: ViteDevServer): string {
  return resolvedUrls?.local[0] ?? "";
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel("Message").fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

/** Kill one worker after the other, so that a client can always reconnect: EventSource gives up on a proxy's 500. */
async function killWorkers(): Promise<void> {
  const before = await server.processes("worker");
  for (const { id, pid } of before) {
    if (pid) process.kill(pid, "SIGKILL");
    await eventually(async () => {
      const next = (await server.processes("worker")).find((worker) => worker.id === id);
      expect(next?.state).toBe("ready");
      expect(next?.pid).not.toBe(pid);
    });
  }
}

test("useChat shows the answer with its tool call, and a page that is opened again shows the chat", async () => {
  await using vite = await serve("react-use-chat");
  await using visitor = await browser.visitor(urlOf(vite));
  const page = await visitor.context.newPage();
  await page.goto(urlOf(vite));
  await say(page, "calculate 6 * 7");
  await page.getByText("The tool calculate answered: 42").waitFor();
  expect(await page.locator("pre").innerText()).toContain("output-available");

  await say(page, "/sim tokens=200 rate=50");
  await page.getByText("tok9").waitFor();
  const again = await visitor.context.newPage();
  await again.goto(page.url());
  await again.getByText("tok200").waitFor();
  await again.getByText("The tool calculate answered: 42").waitFor();
  expect(await again.locator("article").allInnerTexts()).toEqual(await page.locator("article").allInnerTexts());

  // After an error the next message can be sent.
  await say(page, "/sim status=400");
  await page.getByRole("alert").waitFor();
  await say(page, "calculate 7 * 7");
  await page.getByText("The tool calculate answered: 49").waitFor();
});

test("the page that docs/start.md shows talks to the server, as it is typed", async () => {
  const page = await readFile(resolve(EXAMPLES, "../docs/start.md"), "utf8");
  await using folder = await makeTemporary();
  for (const { code } of blocksOf(page)) {
    const [, name, content] = /^(?:\/\/|<!--) (web\/\S+)(?: -->)?\n([^]*)$/.exec(code) ?? [];
    if (name === undefined || content === undefined) continue;
    await mkdir(dirname(join(folder.path, name)), { recursive: true });
    await writeFile(join(folder.path, name), content.replace("localhost:8000", `127.0.0.1:${server.port}`));
  }
  await symlink(resolve(EXAMPLES, "../node_modules"), join(folder.path, "node_modules"));
  const root = join(folder.path, "web");
  const options = { root, configFile: join(root, "vite.config.js"), cacheDir: join(folder.path, "cache") };
  await using vite = await listen(options);
  await using visitor = await browser.visitor(urlOf(vite));
  const tab = await visitor.context.newPage();
  await tab.goto(urlOf(vite));
  await say(tab, "calculate 6 * 7");
  await tab.getByText("The tool calculate answered: 42").waitFor();
  await say(tab, "/sim status=401");
  await tab.getByRole("alert").getByText("check ANTHROPIC_API_KEY").waitFor();
  await say(tab, "/sim tokens=3");
  await tab.getByText("tok1 tok2 tok3").waitFor();
  expect(await tab.getByRole("alert").count()).toBe(0);
});

test("useChat has the whole answer, although the worker that streamed it was killed in the middle", async () => {
  await using vite = await serve("react-use-chat");
  await using visitor = await browser.visitor(urlOf(vite));
  const page = await visitor.context.newPage();
  await page.goto(urlOf(vite));
  // Longer than the start of the new workers, so that the reopened page resumes.
  await say(page, "/sim tokens=480 rate=40");
  await page.getByText("tok9").waitFor();
  await killWorkers();
  // The transport reports the break; a reopened page resumes.
  await eventually(async () => {
    await page.reload();
    await page.getByText("tok480").waitFor();
    expect(await page.locator("article p").last().innerText()).toBe(tokens(480));
  });
});

test("EventSource goes on by itself after its worker was killed", async () => {
  const origin = `http://127.0.0.1:${server.port}`;
  await using visitor = await browser.visitor(origin);
  const page = await visitor.context.newPage();
  // Files of the example under the server's own origin. Vite's proxy keeps a response open whose server died.
  await page.route(`${origin}/example/*`, (route) => {
    const file = new URL(route.request().url()).pathname.slice("/example/".length);
    return route.fulfill({ path: join(EXAMPLES, "event-source", file) });
  });
  await page.goto(`${origin}/example/index.html`);
  await say(page, "/sim tokens=120 rate=40");
  await page.getByText("tok9").waitFor();
  await killWorkers();
  await eventually(async () => expect(await page.locator("#answer").textContent()).toBe(tokens(120)));

  // The next message ends the watch on the run before it.
  await say(page, "/sim tokens=6000 rate=40");
  await page.getByText("tok9").waitFor();
  await say(page, "/sim tokens=40 rate=20");
  await eventually(async () => expect(await page.locator("#answer").textContent()).toBe(tokens(40)));
  await say(page, "/sim status=400");
  await eventually(async () => expect(await page.locator("#answer").textContent()).toContain("400"));
});

/** The answer to `/sim tokens=N`. */
function tokens(count: number): string {
  return Array.from({ length: count }, (_, index) => `tok${index + 1}`).join(" ");
}

test("the hooks show the answer under way in two tabs, over killed workers, and then what is stored", async () => {
  await using vite = await serve("react-hooks");
  await using visitor = await browser.visitor(urlOf(vite));
  const page = await visitor.context.newPage();
  await page.goto(urlOf(vite));
  await say(page, "calculate 6 * 7");
  await page.getByText("The tool calculate answered: 42").waitFor();

  await say(page, "/sim tokens=200 rate=50");
  await page.getByText("tok9").waitFor();
  const second = await visitor.context.newPage();
  await second.goto(page.url());
  await second.getByText("tok9").waitFor();
  expect(await second.getByText("The tool calculate answered: 42").count()).toBe(1);
  await killWorkers();
  const whole = tokens(200);
  for (const tab of [page, second]) {
    // Vite's proxy keeps a response open whose server died: the client finds out by its silence.
    await tab.getByText("tok200").waitFor({ timeout: 60_000 });
    await tab.getByRole("button", { name: "Stop" }).waitFor({ state: "detached" });
    expect(await tab.locator("article").last().innerText()).toBe(whole);
    expect(await tab.getByRole("alert").count()).toBe(0);
  }

  await say(page, "/sim tokens=2000 rate=50");
  await page.getByText("tok9").last().waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByRole("button", { name: "Stop" }).waitFor({ state: "detached" });
}, 120_000);
