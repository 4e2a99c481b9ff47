/** With two filters the server looks at some thousand rows a page, so a page may be empty although older rows fit. */
import { afterAll, expect, test } from "vitest";
import { openSite } from "../../testing/browser.ts";

const site = await openSite();
afterAll(() => site[Symbol.asyncDispose]());
const { server, browser } = site;

test.each([
  { page: "activities", filter: "type=run.completed", none: "No activities fit the filter", row: ".feed-row" },
  { page: "runs", filter: "status=completed", none: "No runs fit the filter", row: ".runs-title" },
])("the $page go on behind empty pages, and say that none fit only after the last", async (list) => {
  const { body } = await server.client.chat("hello");
  await using visitor = await browser.visitor(server.client.url);
  const page = await visitor.context.newPage();
  const asked: (string | null)[] = [];
  // The first two pages are empty, the third is the server's.
  await page.route(`**/api/${list.page}?*`, async (route) => {
    const url = new URL(route.request().url());
    const before = url.searchParams.get("before");
    asked.push(before);
    if (before === null) return route.fulfill({ json: { [list.page]: [], next: 902_000 } });
    if (before === "902000") return route.fulfill({ json: { [list.page]: [], next: 901_000 } });
    return route.continue();
  });

  await page.goto(`${server.client.url}/#/${list.page}?agent=assistant&${list.filter}`);
  await page.locator(list.row).first().waitFor();
  expect(asked).toContain("901000");
  await page.goto(`${server.client.url}/#/${list.page}?agent=nobody&${list.filter}`);
  await page.getByText(list.none).waitFor();
  expect(body.run_id).toBeTruthy();
});
