/** The page under a path of a proxy: it finds its files, the API and the socket there. */
import { afterAll, expect, test } from "vitest";
import { eventually, openSite } from "../../testing/browser.ts";

const site = await openSite({ env: { BASE_PATH: "/keel" } });
afterAll(() => site[Symbol.asyncDispose]());
const { server, browser } = site;

test.each(["a SharedWorker", "none"])("under /keel/ the page is live, with %s", async (worker) => {
  await using visitor = await browser.visitor(`${server.client.url}/keel`);
  if (worker === "none") await visitor.context.addInitScript("delete window.SharedWorker");

  const page = await visitor.open("#/activities");
  await server.client.post("/api/activities", { role: "Test", content: `News for ${worker}` });

  await eventually(async () => expect(await page.locator("#main").textContent()).toContain(`News for ${worker}`));
  expect(visitor.problems).toEqual([]);
});

test("under /keel/ the page names the path of the API as the proxy has it", async () => {
  await using visitor = await browser.visitor(`${server.client.url}/keel`);

  const page = await visitor.open("#/runs");

  await eventually(async () => expect(await page.locator("#main").textContent()).toContain("POST to /keel/api/chat"));
});
