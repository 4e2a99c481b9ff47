/** The feed in a real browser, whose clock the test moves. */
import { afterAll, expect, test } from "vitest";
import { eventually, openSite } from "../../../testing/browser.ts";

const site = await openSite();
afterAll(() => site[Symbol.asyncDispose]());
const { server, browser } = site;

test("in a tab that stays open, an activity of an earlier day gets its date", async () => {
  await server.client.chat("hello");
  await using visitor = await browser.visitor(server.client.url);
  const page = await visitor.context.newPage();
  await page.clock.install();
  await page.goto(`${server.client.url}/#/activities`);
  const time = page.locator(".feed-time").last();
  await eventually(async () => expect(await time.innerText()).toMatch(/^\d\d:\d\d:\d\d$/));

  await page.clock.setSystemTime(Date.now() + 3 * 86_400_000);
  await page.clock.runFor(5_000);

  await eventually(async () => expect(await time.innerText()).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/));
});
