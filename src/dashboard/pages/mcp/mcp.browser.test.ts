/** The page of MCP servers in a real browser; the test answers with two servers that this server does not have. */
import { afterAll, expect, test } from "vitest";
import { openSite, picture } from "../../../testing/browser.ts";

const site = await openSite();
afterAll(() => site[Symbol.asyncDispose]());
const { server, browser } = site;

const FILES = {
  agent_process: 1,
  server: "files",
  kind: "stdio",
  state: "ready",
  pid: 4_711,
  tools: ["read_file", "list_directory"],
  tool_count: 14,
  calls: 128,
  failed_calls: 2,
  in_flight: 1,
  latency_ms: { p50: 3.2, p99: 41 },
  starts: 1,
  reason: null,
  next_try_ms: null,
  stderr: "Serving /srv/files",
};
const FAILED = { state: "failed", tools: [], tool_count: 0, calls: 0, failed_calls: 0, in_flight: 0, latency_ms: null };
const TICKETS = {
  server: "tickets",
  kind: "http",
  pid: null,
  reason: "401 Unauthorized",
  next_try_ms: 8_000,
  stderr: "",
};

test("each server shows how every agent process runs it, and is restarted after a question", async () => {
  await using visitor = await browser.visitor(server.client.url);
  const restarted: string[] = [];
  await visitor.context.route("**/api/mcp", (route) =>
    route.fulfill({ json: { servers: [FILES, { ...FILES, agent_process: 2 }, { ...FILES, ...FAILED, ...TICKETS }] } }),
  );
  await visitor.context.route("**/api/mcp/*/restart", (route) => {
    restarted.push(new URL(route.request().url()).pathname);
    return route.fulfill({ status: 202, json: { server: "files" } });
  });
  const page = await visitor.open("#/mcp");
  const files = page.getByRole("region", { name: "files" });

  await files.getByRole("rowheader").first().waitFor();
  expect(await files.getByRole("rowheader").allInnerTexts()).toEqual(["agent 1", "agent 2"]);
  expect(await files.innerText()).toContain("and 12 more");
  expect(await page.getByRole("region", { name: "tickets" }).innerText()).toContain(
    "401 Unauthorized; next try in 8.0 s",
  );
  await picture(page, "mcp");
  await files.getByRole("button", { name: "Restart files" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Restart" }).click();

  await expect.poll(() => restarted).toEqual(["/api/mcp/files/restart"]);
  expect(visitor.problems).toEqual([]);
});
