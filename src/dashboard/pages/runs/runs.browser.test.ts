/** The Runs page and the page of one run, in a real browser. */
import { afterAll, expect, test } from "vitest";
import { eventually, openSite, picture } from "../../../testing/browser.ts";

const site = await openSite();
afterAll(() => site[Symbol.asyncDispose]());
const { server, browser } = site;
const { client } = server;

const SLOW = "/sim tokens=4000 rate=20";

test("a cancel of one run can be undone for a while; a cancel of several asks first", async () => {
  await using visitor = await browser.visitor(client.url);
  const [first = "", ...others] = await Promise.all(
    ["1", "2", "3"].map((n) => client.begin(SLOW, { thread_id: `cancel-${n}` })),
  );
  const page = await visitor.open("#/runs");
  const statusOf = (runId: string) =>
    page
      .getByRole("row")
      .filter({ has: page.locator(`a[title="${runId}"]`) })
      .locator(".badge");

  await page.getByRole("button", { name: `Cancel run ${first}` }).click();
  await page.getByRole("button", { name: `Do not cancel run ${first}` }).click();
  await page.getByRole("button", { name: `Cancel run ${first}` }).click();

  await eventually(async () => expect(await statusOf(first).innerText()).toBe("canceled"));
  for (const runId of others) await page.getByRole("checkbox", { name: `Select run ${runId}` }).check();
  await page.getByRole("button", { name: "Cancel 2 runs" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Keep" }).click();
  // The focus returns to where the question was asked and not to the beginning of the page.
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Cancel 2 runs");
  expect((await client.get(`/api/runs/${others[0]}`)).body.status).toBe("running");
  await page.getByRole("button", { name: "Cancel 2 runs" }).click();
  await picture(page, "runs-cancel");
  await page.getByRole("dialog").getByRole("button", { name: "Cancel 2 runs" }).click();
  for (const runId of others) await eventually(async () => expect(await statusOf(runId).innerText()).toBe("canceled"));
  expect(await page.getByRole("checkbox", { name: "Select all" }).isDisabled()).toBe(true);
  expect(visitor.problems).toEqual([]);
});

test("a new run comes into the list, and its end shows, without a reload", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await visitor.open("#/runs?thread=fresh");
  await page.getByText("No runs fit the filter").waitFor();

  await client.begin("/sim tokens=30 rate=10", { thread_id: "fresh" });

  const badge = page.locator("tbody .badge");
  await badge.filter({ hasText: "running" }).waitFor();
  await badge.filter({ hasText: "completed" }).waitFor();
  expect(visitor.problems).toEqual([]);
});

test("new runs wait while a row is ticked, and the row keeps its place and its tick", async () => {
  await using visitor = await browser.visitor(client.url);
  const mine = await client.begin(SLOW, { thread_id: "ticked" });
  const page = await visitor.open("#/runs");
  const box = page.getByRole("checkbox", { name: `Select run ${mine}` });
  await box.check();
  // Neither pointer nor focus: the tick alone holds the list.
  await page.mouse.move(5, 400);
  await page.getByRole("link", { name: "evenkeel, overview" }).focus();
  const top = async () => (await box.boundingBox())?.y;
  const before = await top();

  await Promise.all(["a", "b", "c"].map((id) => client.chat("/sim tokens=1", { thread_id: `later-${id}` })));

  const pill = page.getByRole("button", { name: "3 new" });
  await pill.waitFor();
  expect([await top(), await box.isChecked()]).toEqual([before, true]);
  await picture(page, "runs-held");
  await pill.click();
  await eventually(async () => expect(await top()).toBeGreaterThan(before ?? 0));
  expect(await box.isChecked()).toBe(true);
  expect(visitor.problems).toEqual([]);
});

test("back from a run returns to the place in the list, however many pages were loaded", async () => {
  await using visitor = await browser.visitor(client.url);
  await Promise.all(Array.from({ length: 70 }, () => client.chat("/sim tokens=1", { agent_id: "greeter" })));
  const page = await visitor.open("#/runs?agent=greeter");
  const rows = page.locator("tbody tr");
  await eventually(async () => {
    await page.mouse.wheel(0, 4_000);
    expect(await rows.count()).toBeGreaterThan(60);
  });
  await rows.nth(55).locator(".runs-title").scrollIntoViewIfNeeded();
  const place = await page.evaluate(() => scrollY);
  expect(place).toBeGreaterThan(500);

  await rows.nth(55).locator(".runs-title").click();
  await page.getByText("Where the time went").or(page.locator(".fall-answer")).waitFor();
  expect(await page.evaluate(() => scrollY)).toBe(0);
  await page.goBack();

  await eventually(async () => expect(await page.evaluate(() => scrollY)).toBe(place));
  expect(await rows.count()).toBeGreaterThan(60);
  expect(visitor.problems).toEqual([]);
});

test("the head of the table stays in sight", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await visitor.open("#/runs?agent=greeter");
  await page.locator("tbody tr").nth(40).scrollIntoViewIfNeeded();

  const head = await page.getByRole("columnheader", { name: "Status" }).boundingBox();

  expect(head?.y).toBe(0);
});

test("what a run becomes moves no column", async () => {
  await using visitor = await browser.visitor(client.url);
  await client.begin("/sim tokens=40 rate=20", { thread_id: "still" });
  const page = await visitor.open("#/runs?thread=still");
  const lefts = () =>
    page.locator("thead th").evaluateAll((cells) => cells.map((cell) => cell.getBoundingClientRect().left));
  const badge = page.locator("tbody .badge");
  await badge.filter({ hasText: "running" }).waitFor();
  const before = await lefts();

  await badge.filter({ hasText: "completed" }).waitFor();

  // The activity says that it is over; what it used comes with the run, a moment later.
  await page.locator("tbody .runs-cost").filter({ hasText: "$" }).waitFor();
  expect(await lefts()).toEqual(before);
});

test("filters narrow the list, stand in the URL, and outlive a reload", async () => {
  await using visitor = await browser.visitor(client.url);
  await client.chat("/sim status=400", { agent_id: "greeter" });
  await client.chat("/sim tokens=1", { agent_id: "greeter" });
  await client.chat("/sim status=400", { agent_id: "analyst" });
  const page = await visitor.open("#/runs");

  await page.getByLabel("Status").selectOption("failed");
  await page.getByLabel("Agent").selectOption("greeter");

  // In flight are runs that are running or parked.
  const statuses = await page.getByLabel("Status").locator("option").allInnerTexts();
  expect(statuses.slice(1)).toEqual(["in flight", "queued", "running", "parked", "completed", "failed", "canceled"]);
  const rows = page.locator("tbody").getByRole("row");
  const seen = async () => expect(await rows.allInnerTexts()).toEqual([expect.stringMatching(/failed[^]+greeter/)]);
  await eventually(seen);
  expect(new URL(page.url()).hash).toBe("#/runs?status=failed&agent=greeter");
  await page.reload();
  await eventually(seen);
  await page.goBack();
  await eventually(async () => expect(await rows.count()).toBe(2));
  expect(visitor.problems).toEqual([]);
});

test("a row opens its run, whose waterfall shows the wait after a rate limit", async () => {
  await using visitor = await browser.visitor(client.url);
  // Two seconds show as 2.0 although both ends are times of commits, some ms early or late; up to 0.25 s are added.
  const { body } = await client.chat("/sim status=529 times=1 retry_after=2 tokens=7");
  const page = await visitor.open("#/runs");

  await page.locator(`a[title="${body.run_id}"]`).click();

  const wait = page.locator(".fall-row", { hasText: "Wait before attempt 2" });
  await wait.waitFor();
  expect(await wait.getAttribute("title")).toContain("529");
  expect(await wait.locator(".fall-ms").innerText()).toMatch(/^2\.\d s$/);
  const box = await wait.locator(".fall-bar").boundingBox();
  expect(box?.width).toBeGreaterThan(100);
  expect(await page.locator(".fall-answer").innerText()).toMatch(/2\.\d s/);
  await picture(page, "run-rate-limit");
  // The keyboard stops at the element that scrolls, and that element has a name.
  const rows = page.getByRole("group", { name: "Waterfall" });
  await rows.focus();
  expect(await rows.evaluate((element) => element === document.activeElement)).toBe(true);
  // A table for people who cannot see the bars.
  expect(
    await page
      .getByRole("table")
      .getByRole("row", { name: /Wait before attempt 2.*529/ })
      .count(),
  ).toBe(1);
  expect(await page.locator(".run-flow").innerText()).toContain("tok1 tok2 tok3 tok4 tok5 tok6 tok7");
  expect(visitor.problems).toEqual([]);
});

test("a run that works can be canceled on its own page, which then says so", async () => {
  await using visitor = await browser.visitor(client.url);
  const runId = await client.begin(SLOW);
  const page = await visitor.open(`#/runs/${runId}`);
  await page.getByText("tok1 tok2").waitFor();

  await page.getByRole("button", { name: "Cancel the run" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel the run" }).click();

  await page.getByText("Canceled.").waitFor();
  await eventually(async () => expect(await page.locator(".run-head .badge").innerText()).toBe("canceled"));
  await page.getByRole("button", { name: "Retry" }).click();
  await page.getByText("Goes on from run").waitFor();
  await page.getByText("tok1 tok2").waitFor();
  expect(visitor.problems).toEqual([]);
});
