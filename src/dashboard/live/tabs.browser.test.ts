/** Many tabs of one browser: all live, over one WebSocket where the browser can share it. */
import type { Page } from "playwright-core";
import { afterAll, expect, test } from "vitest";
import { eventually, openSite, type Visitor } from "../../testing/browser.ts";
import { openRelay } from "../../testing/relay.ts";

const site = await openSite();
afterAll(() => site[Symbol.asyncDispose]());
const { server, browser } = site;

// A browser opens six connections to a host over HTTP/1.1: eight streams of their own would starve two tabs.
const TABS = 8;

test("eight tabs are live over one WebSocket", async () => {
  await using relay = await openRelay(server.port);
  await using visitor = await browser.visitor(relay.url);

  const tabs = await openTabs(visitor);

  await expectLive(tabs, "one socket");
  expect(relay.webSockets.size).toBe(1);
  await Promise.all(tabs.slice(1).map((tab) => tab.close()));
  await expectLive(tabs.slice(0, 1), "seven tabs are closed");
  await tabs[0]?.close();
  await eventually(() => expect(relay.webSockets.size).toBe(0));
  expect(visitor.problems).toEqual([]);
});

test("without SharedWorker eight tabs are live as well, each over its own", async () => {
  await using relay = await openRelay(server.port);
  await using visitor = await browser.visitor(relay.url);
  await visitor.context.addInitScript("delete window.SharedWorker");

  const tabs = await openTabs(visitor);

  await expectLive(tabs, "eight sockets");
  expect(relay.webSockets.size).toBe(TABS);
  expect(visitor.problems).toEqual([]);
});

test("a SharedWorker that is killed is done without, and the tab goes on by itself", async () => {
  await using visitor = await browser.visitor(server.client.url);
  const tab = await visitor.open("#/activities");
  await expectLive([tab], "a worker");

  await killSharedWorkers(visitor);

  await expectLive([tab], "a tab whose worker was killed");
  expect(visitor.problems).toEqual([]);
});

test("a SharedWorker whose script does not load is done without", async () => {
  await using visitor = await browser.visitor(server.client.url);
  await visitor.context.addInitScript(`
    const Shared = window.SharedWorker;
    window.SharedWorker = class { constructor(url, options) { return new Shared("/assets/gone.js", options); } };
  `);

  const tab = await visitor.open("#/activities");

  await expectLive([tab], "an own hub");
  expect(visitor.problems.filter((problem) => !problem.includes("404"))).toEqual([]);
});

/** Ends the worker as the browser's task manager does, without a message to the tabs. */
async function killSharedWorkers({ context }: Visitor): Promise<void> {
  const session = await context.browser()?.newBrowserCDPSession();
  const targets = await session?.send("Target.getTargets", { filter: [{ type: "shared_worker" }] });
  const workers = targets?.targetInfos ?? [];
  expect(workers).toHaveLength(1);
  for (const { targetId } of workers) await session?.send("Target.closeTarget", { targetId });
  await session?.detach();
}

function openTabs(visitor: Visitor): Promise<Page[]> {
  return Promise.all(Array.from({ length: TABS }, () => visitor.open("#/activities")));
}

/** Checks that a new event is shown in every tab. */
async function expectLive(tabs: readonly Page[], what: string): Promise<void> {
  for (const tab of tabs) await tab.locator(".connection", { hasText: "Live" }).waitFor();
  await server.client.post("/api/activities", { role: "Test", content: `News for ${what}` });
  await Promise.all(tabs.map((tab) => tab.getByText(`News for ${what}`).waitFor()));
}
