/** A run that hands work to another agent, in a real browser: the other agent's words appear live below the call. */
import type { Locator, Page } from "playwright-core";
import { afterAll, expect, test } from "vitest";
import { eventually, openSite, picture } from "../../../testing/browser.ts";

const site = await openSite();
afterAll(() => site[Symbol.asyncDispose]());
const { server, browser } = site;
const { client } = server;

const ASK = delegating("assistant", "/sim tokens=80 rate=20");

test("the chat shows a delegated run folded beneath its call; the keyboard opens it while it works", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await visitor.open("#/chat?agent=planner");

  await page.getByRole("textbox", { name: "Your message" }).fill(ASK);
  await page.keyboard.press("Enter");

  const nested = page.locator(".turn-answer .delegated");
  await nested.locator("summary", { hasText: "Delegated to assistant" }).waitFor();
  expect(await nested.locator(".delegated-body").count()).toBe(0);
  // A folded run is not followed, so it shows no state; the call shows that it waits.
  await badge(page.locator(".turn-answer .tool"), "parked").waitFor();
  expect(await nested.locator(".badge").count()).toBe(0);
  await nested.locator("summary").first().focus();
  await page.keyboard.press("Enter");
  await nested.getByText("tok3").waitFor();
  expect(await nested.innerText()).not.toContain("tok80");
  await picture(page, "chat-delegated");
  await nested.getByText("tok80").waitFor();
  await badge(nested, "completed").waitFor();
  // The planner continues with the result.
  await page.locator(".turn-answer").getByText("The tool delegate answered").waitFor();
  expect(visitor.problems).toEqual([]);
});

test("a run's page shows the delegated run at work and the wait for it; each page links to the other", async () => {
  await using visitor = await browser.visitor(client.url);
  const runId = await client.begin(ASK, { agent_id: "planner" });
  const page = await visitor.open(`#/runs/${runId}`);
  const nested = page.locator(".run-flow .delegated");

  await nested.getByText("tok3").waitFor();
  expect(await nested.innerText()).not.toContain("tok80");
  await badge(page.locator(".run-head"), "parked").waitFor();
  await picture(page, "run-delegated");
  await nested.getByText("tok80").waitFor();
  await badge(nested, "completed").waitFor();
  await badge(page.locator(".run-head"), "completed").waitFor();
  // The planner's own usage differs from that of all its runs.
  await page.getByText("Tokens with 1 delegated run").waitFor();
  await page.getByText("Model, tools, metadata and events").click();
  await page.getByRole("button", { name: "Show the events" }).click();
  await page.getByRole("list", { name: "Events" }).getByText("evenkeel.waiting").first().waitFor();
  await picture(page, "run-more");
  const row = page.locator(".fall-row", { hasText: "Delegated to assistant" });
  expect(await row.locator(".fall-parked").count()).toBe(1);
  expect(await page.locator(".fall-row .fall-tool").count()).toBe(0);
  expect(await page.locator(".fall-answer").innerText()).toMatch(/\d s parked for delegated runs/);

  await nested.getByRole("link", { name: "Open the run of assistant" }).click();

  const by = page.locator(".run-by");
  await by.getByText("Delegated by run").waitFor();
  expect(new URL(page.url()).hash).not.toContain(runId);
  expect(await by.getByRole("link").getAttribute("href")).toBe(`#/runs/${runId}`);
  await by.getByRole("link").click();
  await page.locator(".run-flow .delegated").getByText("tok80").waitFor();
  expect(visitor.problems).toEqual([]);
});

test("a parent that is canceled takes the delegated run with it, and both say so", async () => {
  await using visitor = await browser.visitor(client.url);
  const runId = await client.begin(delegating("assistant", "/sim tokens=4000 rate=20"), { agent_id: "planner" });
  const page = await visitor.open(`#/runs/${runId}`);
  const nested = page.locator(".run-flow .delegated");
  await nested.getByText("tok3").waitFor();

  await page.getByRole("button", { name: "Cancel the run" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel the run" }).click();

  await page.getByText("Canceled.").waitFor();
  await badge(nested, "canceled").waitFor();
  expect(visitor.problems).toEqual([]);
});

test("the list of runs calls a run parked while its page does, and its filter finds it", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await visitor.open("#/runs");
  const runId = await client.begin(delegating("assistant", "/sim tokens=4000 rate=20"), { agent_id: "planner" });
  const status = rowOf(page, runId).locator(".badge");

  await status.getByText("parked", { exact: true }).waitFor();
  await page.getByLabel("Status").selectOption("running");
  await page.getByText("No runs fit the filter").waitFor();
  await page.getByLabel("Status").selectOption("parked");
  await status.getByText("parked", { exact: true }).waitFor();
  await page.getByLabel("Status").selectOption("");

  await client.post(`/api/runs/${runId}/cancel`);
  await status.getByText("canceled", { exact: true }).waitFor();
  expect(visitor.problems).toEqual([]);
});

test("whoever leaves the page follows neither the run nor what it delegated any more", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await visitor.open("#/");
  // Subscriptions of earlier visitors, which may not be closed yet.
  await eventually(async () => expect(await viewers()).toBe(1));
  const runId = await client.begin(delegating("assistant", "/sim tokens=4000 rate=20"), { agent_id: "planner" });
  await page.goto(`${client.url}/#/runs/${runId}`);
  await page.locator(".run-flow .delegated").getByText("tok3").waitFor();
  await eventually(async () => expect(await viewers()).toBe(3));

  await page.getByRole("link", { name: "Overview", exact: true }).click();

  await eventually(async () => expect(await viewers()).toBe(1));
  await client.post(`/api/runs/${runId}/cancel`);
  expect(visitor.problems).toEqual([]);
});

test("of many delegated runs those near the window are followed, and no more", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await visitor.open("#/");
  await eventually(async () => expect(await viewers()).toBe(1));
  const asks = Array.from({ length: 12 }, () => "/sim tokens=4000 rate=20");
  const calls = asks.map((message) => `tool=delegate input=${JSON.stringify({ agent_id: "assistant", message })}`);
  const runId = await client.begin(`/sim ${calls.join(" ")}`, { agent_id: "planner" });
  await page.goto(`${client.url}/#/runs/${runId}`);
  const nested = page.locator(".run-flow .delegated");
  await eventually(async () => expect(await nested.count()).toBe(12));

  // Subscriptions to the processes, to the run, and to the first three delegated runs, which are unfolded.
  await eventually(async () => expect(await viewers()).toBe(5));

  await client.post(`/api/runs/${runId}/cancel`);
  expect(visitor.problems).toEqual([]);
});

test("the list of runs marks those that were delegated, with a link to the run that did", async () => {
  await using visitor = await browser.visitor(client.url);
  const { body } = await client.chat(delegating("assistant", "/sim tokens=2"), { agent_id: "planner" });
  const children = (await client.get(`/api/runs?parent_run_id=${body.run_id}`)).body["runs"] as { run_id: string }[];
  const page = await visitor.open("#/runs?delegated=true");
  const mark = rowOf(page, children[0]?.run_id ?? "").getByRole("link", { name: "delegated" });

  await eventually(async () => expect(await mark.getAttribute("href")).toBe(`#/runs/${body.run_id}`));

  expect(await rowOf(page, body.run_id).getByRole("link", { name: "delegated" }).count()).toBe(0);
  await picture(page, "runs-delegated");
  expect(visitor.problems).toEqual([]);
});

test("on a telephone nothing of a delegated run is wider than the window", async () => {
  await using visitor = await browser.visitor(client.url, { viewport: { width: 360, height: 700 } });
  const { body } = await client.chat(delegating("assistant", "Please calculate 6 * 7"), { agent_id: "planner" });

  const page = await visitor.open(`#/runs/${body.run_id}`);

  await page.locator(".delegated .tool").waitFor();
  await picture(page, "run-delegated-phone");
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  expect(visitor.problems).toEqual([]);
});

/** A message that makes the simulated model delegate. */
function delegating(agentId: string, message: string): string {
  return `/sim tool=delegate input=${JSON.stringify({ agent_id: agentId, message })}`;
}

/** Counts the subscriptions of all pages; the shell itself has one, to the processes. */
async function viewers(): Promise<number> {
  const workers = await server.processes("worker");
  return workers.reduce((sum, { gauges }) => sum + (gauges["viewers"] ?? 0), 0);
}

function badge(within: Locator, word: string): Locator {
  return within.locator(":scope > summary .badge, .facts .badge", { hasText: word });
}

function rowOf(page: Page, runId: string): Locator {
  return page.getByRole("row").filter({ has: page.locator(`a.runs-title[title="${runId}"]`) });
}
