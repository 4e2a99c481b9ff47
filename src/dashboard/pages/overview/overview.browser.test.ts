/** The overview in a real browser: whose figures its charts show, and that nothing on it jumps. */
import type { Page } from "playwright-core";
import { afterAll, expect, test, vi } from "vitest";
import { eventually, openSite } from "../../../testing/browser.ts";

// The tests wait for processes that start on busy cores, and for figures that come once a second.
vi.setConfig({ testTimeout: 60_000 });

const site = await openSite();
afterAll(() => site[Symbol.asyncDispose]());
const { server, browser } = site;
const { client } = server;

const NAMES = ["worst of each kind", "primary", "worker 1", "worker 2", "simulator", "agent 1"];
const WORST_HEALTH = [/^worst worker p99 /, /^worst worker p50 /];
const WORST_LAG = [/^primary p99 /, /^worst worker p99 /, /^worst agent p99 /, /^simulator p99 /];
const P99_AND_P50 = [/^worker 1 p99 [\d.]+ m?s$/, /^worker 1 p50 [\d.]+ m?s$/];

test("a process that is chosen shows its p99 and p50, also on a page visited again, and after its restart", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await visitor.open();
  await eventually(async () => expect(await choice(page).locator("option").allInnerTexts()).toEqual(NAMES));
  await expectLegends(page, WORST_HEALTH, WORST_LAG);

  await choice(page).selectOption("worker 1");

  await expectLegends(page, P99_AND_P50, P99_AND_P50);
  await page.evaluate(() => (location.hash = "#/processes"));
  await page.getByRole("rowheader", { name: "worker 1" }).waitFor();
  await page.goBack();
  await expectLegends(page, P99_AND_P50, P99_AND_P50);

  await killWorker();

  await page.locator(".incidents li", { hasText: "worker 1" }).waitFor();
  await expectLegends(page, P99_AND_P50, P99_AND_P50);
  expect(await choice(page).inputValue()).toBe("worker 1");
});

test("it is chosen with the keyboard alone; a process that answers no /health says so", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await visitor.open();
  await eventually(async () => expect(await choice(page).locator("option").allInnerTexts()).toEqual(NAMES));
  await page.getByRole("main").focus();
  await eventually(async () => {
    await page.keyboard.press("Tab");
    expect(await choice(page).evaluate((element) => element === document.activeElement)).toBe(true);
  });

  await page.keyboard.type("agent 1");

  await expectLegends(page, ["agent 1 p99 –", "agent 1 p50 –"], [/^agent 1 p99 [\d.]+ m?s$/, /^agent 1 p50 /]);
  const health = chart(page, "/health");
  expect(await health.getByText("only workers answer /health").isVisible()).toBe(true);
  expect(await chart(page, "Event loop lag").locator(".chart-nothing").count()).toBe(0);
});

test("neither an incident nor long words about the model move the charts", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await visitor.open();
  const incidents = page.locator(".incidents li");
  await page.locator(".tile-value", { hasText: "OK" }).waitFor();
  const top = await topOfCharts(page);
  const run = await client.begin("/sim status=529 retry_after=20 times=1");
  await page.locator(".tile-detail", { hasText: "1 waits" }).waitFor();
  // A newer event has arrived, so all older ones have arrived too.
  const before = await incidents.count();
  expect(await topOfCharts(page)).toBe(top);

  await killWorker();

  await eventually(async () => expect(await incidents.count()).toBe(before + 1));
  expect(await topOfCharts(page)).toBe(top);
  expect(await page.locator(".charts-head").innerText()).toContain(`Deaths: ${before + 1} · stalls: 0`);
  await client.post(`/api/runs/${run}/cancel`);
});

test("six fresh browsers show the same marks of deaths, whichever worker each of them asks", async () => {
  await killWorker();
  const [agent] = await server.processes("agent");
  process.kill(agent?.pid ?? 0, "SIGKILL");
  await using visitors = new AsyncDisposableStack();
  const marks = async () => {
    const visitor = visitors.use(await browser.visitor(client.url));
    return (await visitor.open()).locator(".incidents li");
  };
  const fresh = await Promise.all(Array.from({ length: 6 }, marks));

  await eventually(async () => {
    const seen = await Promise.all(fresh.map(async (list) => (await list.allInnerTexts()).map(withoutTime)));
    expect(seen[0]?.filter((words) => /died/.test(words)).length).toBeGreaterThanOrEqual(2);
    expect(seen[0]?.[0]).toContain("agent 1");
    expect(seen).toEqual(Array.from({ length: 6 }, () => seen[0]));
  });
});

function withoutTime(words: string): string {
  return words.split("\n").slice(1).join(" ");
}

function choice(page: Page) {
  return page.getByRole("combobox", { name: "/health and loop lag of" });
}

function chart(page: Page, title: string) {
  return page.locator(".chart", { has: page.getByRole("heading", { name: title, exact: true }) });
}

type Legend = readonly (string | RegExp)[];

async function expectLegends(page: Page, health: Legend, lag: Legend): Promise<void> {
  await eventually(async () => {
    expect(await legendOf(page, "/health")).toEqual(health.map((words) => expect.stringMatching(words)));
    expect(await legendOf(page, "Event loop lag")).toEqual(lag.map((words) => expect.stringMatching(words)));
  });
}

function legendOf(page: Page, title: string): Promise<string[]> {
  return chart(page, title).locator(".legend li").allTextContents();
}

async function topOfCharts(page: Page): Promise<number | undefined> {
  return (await page.locator(".charts").boundingBox())?.y;
}

/** Kills worker 1 with SIGKILL; returns when its replacement is ready. */
async function killWorker(): Promise<void> {
  const [worker] = await server.processes("worker");
  process.kill(worker?.pid ?? 0, "SIGKILL");
  await eventually(async () => {
    const [next] = await server.processes("worker");
    expect([next?.state, next?.pid === worker?.pid]).toEqual(["ready", false]);
  });
}
