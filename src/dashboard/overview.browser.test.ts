/** The overview in a real browser: nothing on it jumps. */
import type { Page } from "playwright-core";
import { afterAll, expect, test, vi } from "vitest";
import { eventually, openSite } from "../testing/browser.ts";

// They wait for processes that start on busy cores, and for news that comes once a second.
vi.setConfig({ testTimeout: 60_000 });

const site = await openSite();
afterAll(() => site[Symbol.asyncDispose]());
const { server, browser } = site;
const { client } = server;

test("neither an incident nor long words about the model move the charts", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await visitor.open();
  const incidents = page.locator(".incidents li");
  await page.locator(".tile-value", { hasText: "OK" }).waitFor();
  const top = await topOfCharts(page);
  const run = await client.begin("/sim status=529 retry_after=20 times=1");
  await page.locator(".tile-detail", { hasText: "1 waits" }).waitFor();
  // News has come, so all that is older has.
  const before = await incidents.count();
  expect(await topOfCharts(page)).toBe(top);

  await killWorker();

  await eventually(async () => expect(await incidents.count()).toBe(before + 1));
  expect(await topOfCharts(page)).toBe(top);
  expect(await page.locator(".charts-head").innerText()).toContain(`Restarts: ${before + 1} · stalls: 0`);
  await client.post(`/api/runs/${run}/cancel`);
});

async function topOfCharts(page: Page): Promise<number | undefined> {
  return (await page.locator(".charts").boundingBox())?.y;
}

/** Worker 1, by kill -9; returns when another is ready in its place. */
async function killWorker(): Promise<void> {
  const [worker] = await server.processes("worker");
  process.kill(worker?.pid ?? 0, "SIGKILL");
  await eventually(async () => {
    const [next] = await server.processes("worker");
    expect([next?.state, next?.pid === worker?.pid]).toEqual(["ready", false]);
  });
}
