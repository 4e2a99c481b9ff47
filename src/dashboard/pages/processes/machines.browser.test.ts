/** Two machines on one Postgres, each asked by a browser: both show all processes, and what happened to them. */
import type { Page } from "playwright-core";
import { afterAll, expect, test, vi } from "vitest";
import { assertBuilt, eventually, openBrowser, picture } from "../../../testing/browser.ts";
import { startMachines } from "../../../testing/machines.ts";
import type { Server } from "../../../testing/server.ts";
import { storages } from "../../../testing/storages.ts";

// Machines report to each other every two seconds.
vi.setConfig({ testTimeout: 90_000 });

assertBuilt();
const { environment } = storages();
const env = await environment("Postgres");
const machines = await startMachines([env, env]);
const browser = await openBrowser();
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await machines[Symbol.asyncDispose]();
});
const [here, there] = machines.all as [Server, Server];

test("the processes page has a table for each machine, and says which one answers", async () => {
  await using visitor = await browser.visitor(here.client.url);
  const page = await visitor.open("#/processes");
  const own = page.getByRole("region", { name: await nameOf(here) });
  const other = page.getByRole("region", { name: await nameOf(there) });

  await own.getByText("answers this page").waitFor();
  await other.getByText(/^figures [\d.]+ \w+ old$/).waitFor();

  for (const table of [own, other]) {
    const names = await table.getByRole("rowheader").allInnerTexts();
    expect(names).toEqual(["primary", "worker 1", "simulator", "agent 1"]);
  }
  await page.getByText(/^8 of 8 ready on 2 machines/).waitFor();
  await picture(page, "processes-machines");
  expect(visitor.problems).toEqual([]);
});

test("a death on one machine is marked on the charts of both, with the machine's name", async () => {
  await using visitors = new AsyncDisposableStack();
  const open = async ({ client }: Server) => {
    const visitor = visitors.use(await browser.visitor(client.url));
    const page = await visitor.open("#/");
    await page.locator(".machines li").nth(1).waitFor();
    return page;
  };
  const pages = await Promise.all([open(here), open(there)]);
  const name = await nameOf(there);

  await killWorker(there);

  for (const page of pages) {
    await page.locator(".incidents li", { hasText: `${name} worker 1` }).waitFor();
    expect(await page.locator(".charts-head").innerText()).toContain("Deaths: 1 ");
    // As many lines as for one machine: the worst of each kind.
    expect(await linesOf(page, "Event loop lag")).toHaveLength(4);
    const options = await page.getByRole("combobox", { name: "/health and loop lag of" }).locator("option").count();
    expect(options).toBe(1 + 8);
  }
  const [page] = pages;
  await eventually(async () => expect(await wordsUnderPointer(page)).toContain(`${name} worker 1 died`));
  await picture(page, "overview-machines");
});

async function nameOf({ client }: Server): Promise<string> {
  return (await client.get("/api/workers")).body["machine"] as string;
}

async function killWorker(server: Server): Promise<void> {
  const [worker] = await server.processes("worker");
  process.kill(worker?.pid ?? 0, "SIGKILL");
}

function chart(page: Page, title: string) {
  return page.locator(".chart", { has: page.getByRole("heading", { name: title, exact: true }) });
}

function linesOf(page: Page, title: string): Promise<string[]> {
  return chart(page, title).locator(".legend li").allTextContents();
}

/** What a chart says under the pointer, somewhere from its right edge on to the left. */
async function wordsUnderPointer(page: Page): Promise<string> {
  const { x, y, width, height } = (await chart(page, "Event loop lag").locator(".u-over").boundingBox()) ?? NOWHERE;
  const words = new Set<string>();
  for (let at = x + width - 1; at > x + width - 120; at -= 4) {
    await page.mouse.move(at, y + height / 2);
    words.add(await chart(page, "Event loop lag").locator(".chart-moment").innerText());
  }
  return [...words].join("\n");
}

const NOWHERE = { x: 0, y: 0, width: 0, height: 0 };
