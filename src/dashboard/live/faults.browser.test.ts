/** What a page shows while processes die, with real processes, real signals and a real browser. */
import type { Page } from "playwright-core";
import { afterAll, expect, test, vi } from "vitest";
import { eventually, openSite, picture } from "../../testing/browser.ts";
import { textIn } from "../../testing/journal.ts";
import { makePlace, Server } from "../../testing/server.ts";

// Some tests wait several times for processes that start on busy cores.
vi.setConfig({ testTimeout: 60_000 });

const site = await openSite();
afterAll(() => site[Symbol.asyncDispose]());
const { browser } = site;

test("kill -9 of every worker, one after the other, leaves a streaming answer whole and without repeats", async () => {
  const { server } = site;
  await using visitor = await browser.visitor(server.client.url);
  const page = await visitor.open("#/chat");
  // Ten seconds: longer than a busy machine needs for two new workers.
  const answer = await ask(page, "/sim tokens=400 rate=40");

  for (const { pid } of await server.processes("worker")) {
    process.kill(pid ?? 0, "SIGKILL");
    await eventually(async () => {
      const states = (await server.processes("worker")).map((worker) => [worker.state, worker.pid === pid]);
      expect(states).toEqual([
        ["ready", false],
        ["ready", false],
      ]);
    });
  }

  expect(await answer.innerText()).not.toContain("tok400");
  await expectWhole(page, server, 400);
  expect(visitor.problems.filter((problem) => !isBrokenConnection(problem))).toEqual([]);
});

test("SIGHUP in the middle of an answer goes unnoticed", async () => {
  const { server } = site;
  await using visitor = await browser.visitor(server.client.url);
  const page = await visitor.open("#/chat");
  await ask(page, "/sim tokens=120 rate=40");
  const states = await watchStates(page);

  server.kill("SIGHUP");

  await eventually(() => expect(server.stdout).toContain("restarted: the new processes serve"));
  await expectWhole(page, server, 120);
  expect(await states()).not.toContain("lost");
  expect(visitor.problems.filter((problem) => !isBrokenConnection(problem))).toEqual([]);
});

test("kill -9 of the agent takes the half answer back, and the next one says it once and whole", async () => {
  const { server } = site;
  await using visitor = await browser.visitor(server.client.url);
  const page = await visitor.open("#/chat");
  await ask(page, "/sim tokens=60 rate=40");
  const [agent] = await server.processes("agent");

  process.kill(agent?.pid ?? 0, "SIGKILL");

  await page.getByText("Taken over, attempt 2").waitFor();
  await expectWhole(page, server, 60);
  expect(visitor.problems).toEqual([]);
});

test("a server that is gone is told with how long ago it was seen; when it is back the page goes on", async () => {
  await using place = await makePlace();
  const first = await new Server(place).ready();
  await using visitor = await browser.visitor(first.client.url);
  const page = await visitor.open("#/chat");
  await ask(page, "/sim tokens=80 rate=40");
  const shown = page.locator(".connection");
  expect(await shown.innerText()).toBe("Live");

  await first[Symbol.asyncDispose]();

  await eventually(async () => expect(await shown.innerText()).toMatch(/^Reconnecting, last seen [5-9] s ago$/));
  await picture(page, "lost");
  await using second = await new Server(place).ready();
  await eventually(async () => expect(await shown.innerText()).toBe("Live"));
  await expectWhole(page, second, 80);
  expect(visitor.problems.filter((problem) => !isBrokenConnection(problem))).toEqual([]);
});

test("a message that is sent while the server is away is answered once, when it is back", async () => {
  await using place = await makePlace();
  const first = await new Server(place).ready();
  await using visitor = await browser.visitor(first.client.url);
  const page = await visitor.open("#/chat");
  await page.locator(".connection", { hasText: "Live" }).waitFor();
  await first[Symbol.asyncDispose]();

  await page.getByRole("textbox", { name: "Your message" }).fill("/sim tokens=3");
  await page.keyboard.press("Enter");

  await page.getByText("Sending…").waitFor();
  await using second = await new Server(place).ready();
  await page.getByText("tok1 tok2 tok3").waitFor({ timeout: 25_000 });
  expect((await second.client.get("/api/runs")).body["runs"]).toHaveLength(1);
});

test("a worker that hangs is told as lost, not as live, until it is replaced", async () => {
  await using place = await makePlace();
  // By default the process is replaced after 5 s, when the page has only just noticed.
  await using server = await new Server(place, { env: { WORKERS: "1", STALL_MS: "10000" } }).ready();
  await using visitor = await browser.visitor(server.client.url);
  const page = await visitor.open("#/processes");
  await page.getByRole("rowheader", { name: "worker 1" }).waitFor();
  const [worker] = await server.processes("worker");

  process.kill(worker?.pid ?? 0, "SIGSTOP");

  await page.getByText(/^Reconnecting/).waitFor();
  await page.locator(".connection", { hasText: "Live" }).waitFor({ timeout: 25_000 });
  const restarts = page.getByRole("row", { name: /^worker 1/ }).locator('[data-label="Restarts"]');
  await eventually(async () => expect(await restarts.innerText()).toBe("1"));
});

/** Asks a question and waits for the first words. @returns the locator of the answer */
async function ask(page: Page, message: string) {
  await page.getByRole("textbox", { name: "Your message" }).fill(message);
  await page.keyboard.press("Enter");
  const answer = page.locator(".turn-answer .md");
  await answer.getByText("tok5").waitFor();
  return answer;
}

/** Checks that the answer on the page is `tok1 tok2 …`, each token once, and equals the journal. */
async function expectWhole(page: Page, server: Server, tokens: number): Promise<void> {
  const whole = Array.from({ length: tokens }, (_, index) => `tok${index + 1}`).join(" ");
  const answer = page.locator(".turn-answer .md");
  await eventually(async () => expect(await answer.allTextContents()).toEqual([whole]), 25_000);
  await page.getByRole("button", { name: "Send" }).waitFor();
  const href = await page.getByRole("link", { name: "Run details" }).getAttribute("href");
  expect(textIn(await server.client.events(href?.split("/").at(-1) ?? ""))).toBe(whole);
}

/** @returns a function that reads every state of the connection that the page has shown since */
async function watchStates(page: Page): Promise<() => Promise<string[]>> {
  const seen = await page.evaluateHandle(() => {
    const states: string[] = [];
    const note = () => {
      const [, state = ""] = /connection-(\w+)/.exec(document.querySelector(".connection")?.className ?? "") ?? [];
      if (states.at(-1) !== state) states.push(state);
    };
    new MutationObserver(note).observe(document.body, { subtree: true, attributes: true, childList: true });
    note();
    return states;
  });
  return () => seen.jsonValue();
}

/** Console messages that the browser itself writes when a server goes away. */
function isBrokenConnection(problem: string): boolean {
  return /WebSocket connection|ERR_CONNECTION|ERR_EMPTY|ERR_SOCKET|503/.test(problem);
}
