/**
 * Sends more than 200 hostile texts through every way onto the page: a visitor's message, a model's text and thoughts,
 * names, arguments and results of tools, errors, notices, titles, agents. None of them may become more than text.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openSite, type Visitor } from "../../testing/browser.ts";
import { HOSTILE } from "../../testing/hostile.ts";
import { BETWEEN, ECHO_TOOL, REFUSING_MODEL, startParrot } from "../../testing/parrot.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
const THREADS = 8;
const PARROT = { agent_id: "parrot" };
const IN_A_NAME = '"><img src=x onerror=pwned(0)><a href=javascript:pwned(0)>[x](javascript:pwned(0))';

await using starting = new AsyncDisposableStack();
const config = starting.use(await makeConfig());
const parrot = starting.use(await startParrot());
const site = starting.use(
  await openSite({ env: { CONFIG_DIR: config.path, ANTHROPIC_BASE_URL: parrot.url, AGENTS: "2" } }),
);
const owned = starting.move();
afterAll(() => owned.disposeAsync());
const { server, browser } = site;
const { client } = server;

/** One tab for each thread, open while its runs are made, so that its content arrives live. */
const tabs: Page[] = [];
let visitor: Visitor;

beforeAll(async () => {
  visitor = owned.use(await browser.visitor(client.url, { viewport: { width: 390, height: 844 } }));
  await Promise.all(threads().map((_, thread) => client.chat("Hello", { ...PARROT, thread_id: `hostile-${thread}` })));
  tabs.push(...(await Promise.all(threads().map((_, thread) => visitor.open(`#/chat/hostile-${thread}`)))));
  for (const tab of tabs) await tab.locator(".connection", { hasText: "Live" }).waitFor();
  await Promise.all(
    threads().map(async (texts, thread) => {
      for (const text of texts) {
        // One after the other: the tabs share a socket, which follows no more than 256 runs at once.
        await client.chat(text, { ...PARROT, thread_id: `hostile-${thread}` });
        await client.begin(text, { agent_id: "refuser", metadata: { [text.slice(0, 1_000)]: text.slice(0, 1_000) } });
        await client.post("/api/activities", { role: text.slice(0, 64), content: text.slice(0, 16_000) });
      }
      // All texts in one run, so that its page is opened only once.
      const choir = texts.join(BETWEEN);
      await client.begin(choir, { agent_id: "parrot", thread_id: `choir-${thread}`, run_id: `choir-${thread}` });
      await client.begin(choir, { agent_id: "refuser", thread_id: `choir-${thread}`, run_id: `refused-${thread}` });
    }),
  );
  await eventually(assertIdle, 60_000);
}, 90_000);

test("there are more than 200 of them, each another", () => {
  expect(new Set(HOSTILE).size).toBeGreaterThan(200);
});

test("as messages, answers, thoughts and tools, while they come", async () => {
  for (const [thread, texts] of threads().entries()) {
    const tab = tabs[thread];
    if (!tab) throw new Error("there is a tab for each thread");
    await eventually(async () => {
      expect(await tab.locator(".turn-asked p").allTextContents()).toEqual(["Hello", ...texts]);
      expect(await tab.locator("details.tool").count()).toBe(2 + 2 * texts.length);
    });
    await expectHarmless(tab);
  }
});

test("as messages, answers, thoughts and tools that are stored", async () => {
  for (const [thread, texts] of threads().entries()) {
    const tab = tabs[thread];
    await tab?.reload();
    await eventually(async () => expect(await tab?.locator(".turn").count()).toBe(1 + texts.length));
    if (tab) await expectHarmless(tab);
  }
});

test("as arguments, results and errors on the page of a run", async () => {
  const page = await visitor.open("#/");
  for (const [thread, texts] of threads().entries()) {
    await page.evaluate((to) => (location.hash = to), `#/runs/choir-${thread}`);
    await page.locator(".run-flow").getByText("That is all.").waitFor();
    expect(await page.locator(".tool").count()).toBe(2 * texts.length);
    await expectHarmless(page);
    await page.evaluate((to) => (location.hash = to), `#/runs/refused-${thread}`);
    await page.locator(".error-note").getByText("MODEL_REJECTED").waitFor();
    await expectHarmless(page);
  }
});

test("as errors in the list of runs", async () => {
  const page = await visitor.open("#/runs?status=failed");
  const rows = page.locator("tbody").getByRole("row");
  // Older ones are loaded when the end comes into view.
  await eventually(async () => {
    await page.locator(".older").scrollIntoViewIfNeeded();
    expect(await rows.count()).toBeGreaterThanOrEqual(HOSTILE.length);
  });
  await expectHarmless(page);
});

test("as notices, errors and names of tools in the feed", async () => {
  const page = await visitor.open("#/activities?type=notice");
  for (const type of ["notice", "run.failed", "tool.finished"]) {
    await page.getByLabel("Type").selectOption(type);
    const rows = page.getByRole("list", { name: "Activities" }).getByRole("listitem");
    // Older ones are loaded when the end comes into view.
    await eventually(async () => {
      await page.locator(".older").scrollIntoViewIfNeeded();
      expect(await rows.count()).toBeGreaterThanOrEqual(HOSTILE.length);
    });
    await expectHarmless(page);
  }
});

test("as titles of conversations, and as errors in them", async () => {
  const page = await visitor.open("#/chat");
  const titles = page.locator(".threads-row");
  await page.getByText("Conversations", { exact: true }).click();
  await titles.first().waitFor();
  while ((await titles.count()) < HOSTILE.length) {
    const before = await titles.count();
    await page.getByRole("button", { name: "Load more" }).click();
    await eventually(async () => expect(await titles.count()).toBeGreaterThan(before));
  }
  for (const thread of threads().keys()) {
    await page.evaluate((to) => (location.hash = to), `#/chat/choir-${thread}`);
    await page.locator(".turn-answer").getByText("MODEL_REJECTED").waitFor();
    await expectHarmless(page);
  }
});

test("as descriptions and models of agents", async () => {
  const page = await visitor.open("#/chat");
  const described = page.getByRole("definition").filter({ hasText: "pwned(0)" });
  await eventually(async () => expect(await described.count()).toBe(2));
  await expectHarmless(page);
});

// This test is the last, because all visitors share one record of foreign requests.
test("the alarm works: a page that lets HTML in is found out", async () => {
  await using careless = await browser.visitor(client.url);
  const page = await careless.context.newPage();
  await page.goto(`${client.url}/health`);

  await page.evaluate((html) => (document.documentElement.innerHTML = html), "<img src=x onerror=pwned(1)>");
  await page.evaluate(() => void fetch("http://evil.example/1").catch(() => {}));

  await eventually(() => {
    expect(careless.problems).toContain("script ran: pwned(1)");
    expect(careless.problems).toContain("foreign request: http://evil.example/1");
  });
  expect(await page.evaluate(audit)).toEqual(['<img src="x" onerror="pwned(1)">']);
});

async function assertIdle(): Promise<void> {
  for (const status of ["queued", "running"]) {
    const { body } = await client.get(`/api/runs?status=${status}&limit=1`);
    if ((body["runs"] as unknown[]).length > 0) throw new Error(`There are ${status} runs.`);
  }
}

/** The texts of each thread, as the server keeps them: it replaces half a surrogate pair, which is no character. */
function threads(): string[][] {
  const texts = HOSTILE.map((text) => text.toWellFormed());
  return Array.from({ length: THREADS }, (_, thread) => texts.filter((__, index) => index % THREADS === thread));
}

async function expectHarmless(page: Page): Promise<void> {
  // Folded items are in the document already; opening them draws them as well.
  await page.evaluate(() => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
  expect(await page.evaluate(audit)).toEqual([]);
  expect(await page.evaluate(tooWide)).toEqual([]);
  expect(visitor.problems).toEqual([]);
}

/** Elements that make the page scroll sideways. */
function tooWide(): string[] {
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth <= clientWidth) return [];
  const wide = [...document.querySelectorAll("main *")].filter((element) => {
    return element.getBoundingClientRect().right > clientWidth + 1 && element.closest("pre, .md-table") === null;
  });
  return [...new Set(wide.map(({ localName, className }) => `${localName}.${className}`))];
}

/**
 * Finds everything in the document that our own code never makes. It runs in the page, so it uses nothing from outside.
 */
function audit(): string[] {
  const tags =
    "html head meta title link script body div a p span svg path nav header main footer section aside h1 h2 h3 h4 h5 h6 ol ul li dl dt dd details summary pre code table caption thead tbody tr th td form label select option textarea input button time figure figcaption strong em del blockquote hr br dialog";
  const known = new Set(tags.split(" "));
  const controls = "form, input, select, textarea, svg, [style], [id], [name], [srcdoc], [src]";
  const origin = location.origin;
  const ids = new Set(["app", "main", "ask-title", "key-problem"]);
  const faults = (element: Element): boolean => {
    const { localName, id, attributes } = element;
    if (!known.has(localName) || (id !== "" && !ids.has(id))) return true;
    if (
      [...attributes].some(({ name }) => /^on|^(srcdoc|action|formaction|ping|background|srcset|poster)$/i.test(name))
    )
      return true;
    if (localName === "a") {
      const href = element.getAttribute("href") ?? "#/";
      const rel = element.getAttribute("rel");
      // The page's own link to the reference of the API. Text of others never gets into the navigation.
      if (href === "docs" && element.parentElement?.matches("header > .nav")) return false;
      return !/^#(\/|main$)/.test(href) && !(/^(https?:\/\/|mailto:)/.test(href) && rel === "noopener noreferrer");
    }
    if (localName === "script" || localName === "link") {
      const url = (element as HTMLScriptElement).src || (element as HTMLLinkElement).href;
      return element.closest("head") === null || new URL(url).origin !== origin;
    }
    if (localName === "meta") return element.closest("head") === null || element.hasAttribute("http-equiv");
    return false;
  };
  const inTexts = document.querySelectorAll(".md, .turn-asked, .thought, .tool, .feed-row, .error-note, .run-asked");
  return [
    ...[...document.querySelectorAll("*")].filter(faults),
    ...[...inTexts].flatMap((text) => [...text.querySelectorAll(controls)]),
  ].map((element) => element.outerHTML.slice(0, 200));
}

/** Agents that are hostile themselves, and a tool that gives back what it gets. */
async function makeConfig() {
  // The folder is not below node_modules, because Node strips no types there. Git ignores this folder.
  const parent = join(ROOT, "data");
  await mkdir(parent, { recursive: true });
  const path = await mkdtemp(join(parent, "test-hostile-"));
  await mkdir(join(path, "tools"));
  const name = JSON.stringify(IN_A_NAME);
  await writeFile(
    join(path, "agents.ts"),
    `import { defineAgents } from ${JSON.stringify(join(ROOT, "src/core/agent.ts"))};
     export const agents = defineAgents({
       parrot: { model: ${name}, description: ${name}, tools: [${JSON.stringify(ECHO_TOOL)}], limits: { maxSteps: 1000 } },
       refuser: { model: ${JSON.stringify(REFUSING_MODEL)}, description: ${name} },
     });`,
  );
  await writeFile(
    join(path, `tools/${ECHO_TOOL}.ts`),
    `import { z } from "zod";
     import { defineTool } from ${JSON.stringify(join(ROOT, "src/agent/tools/tool.ts"))};
     export const tool = defineTool({
       description: ${name},
       input: z.looseObject({ text: z.string() }),
       effects: "pure",
       run: ({ text }) => text,
     });`,
  );
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}
