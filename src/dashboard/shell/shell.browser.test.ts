/** The frame of every page, in a real browser: keyboard, theme, and the key form. */
import { cp, mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, expect, test } from "vitest";
import { eventually, openSite, picture } from "../../testing/browser.ts";
import { makePlace, Server } from "../../testing/server.ts";

const site = await openSite();
afterAll(() => site[Symbol.asyncDispose]());
const { server, browser } = site;

test("the theme is the system's until one is chosen, and the choice outlives a reload", async () => {
  await using visitor = await browser.visitor(server.client.url, { colorScheme: "dark" });
  const page = await visitor.open();
  const toggle = page.getByRole("button", { name: "Theme" });
  expect(await toggle.innerText()).toBe("Theme: system");
  expect(await lightness(page)).toBeLessThan(50);

  await toggle.click();

  expect(await toggle.innerText()).toBe("Theme: light");
  await eventually(async () => expect(await lightness(page)).toBeGreaterThan(50));
  await page.reload();
  expect(await lightness(page)).toBeGreaterThan(50);
  await toggle.click();
  await page.emulateMedia({ colorScheme: "light" });
  await page.reload();
  expect(await toggle.innerText()).toBe("Theme: dark");
  expect(await lightness(page)).toBeLessThan(50);
  expect(visitor.problems).toEqual([]);
});

test("Tab reaches navigation, theme, composer and buttons, and each shows that it has the focus", async () => {
  await using visitor = await browser.visitor(server.client.url);
  const page = await visitor.open("#/chat");
  await page.getByRole("textbox", { name: "Your message" }).fill("Hello");
  await page.evaluate(() => (document.activeElement as HTMLElement).blur());

  const stops = await tabStops(page);

  const names = stops.map(({ name }) => name);
  for (const name of ["Overview", "Activities", "Runs", "Chat", "Processes", "Theme: system", "New chat", "Send"]) {
    expect(names).toContain(name);
  }
  expect(stops.map(({ tag }) => tag)).toEqual(expect.arrayContaining(["TEXTAREA", "SELECT"]));
  expect(stops.filter(({ isMarked }) => !isMarked)).toEqual([]);
});

test("the navigation leads to the reference of the API, in a tab of its own", async () => {
  await using visitor = await browser.visitor(server.client.url);
  const page = await visitor.open("#/runs");
  const opened = visitor.context.waitForEvent("page");
  await page.getByRole("link", { name: "API" }).click();
  const reference = await opened;
  await reference.getByText("/api/chat/stream").first().waitFor();
  expect(new URL(reference.url()).pathname).toBe("/docs");
  expect(visitor.problems).toEqual([]);
});

test("a page whose code could not be fetched is there soon, by itself", async () => {
  await using visitor = await browser.visitor(server.client.url);
  const page = await visitor.open("#/runs");
  await page.route("**/assets/processes-page-*.js", (request) => request.abort(), { times: 1 });

  await page.getByRole("link", { name: "Processes" }).click();

  await page.getByRole("rowheader", { name: "worker 1" }).waitFor();
  expect(new URL(page.url()).hash).toBe("#/processes");
});

test("a page whose code is missing for good says so, and reloads the tab once", async () => {
  await using visitor = await browser.visitor(server.client.url);
  const page = await visitor.open("#/runs");
  let asked = 0;
  await page.route("**/assets/processes-page-*.js", (request) => {
    asked += 1;
    return request.abort();
  });

  await page.getByRole("link", { name: "Processes" }).click();
  await eventually(() => expect(asked).toBe(2));

  // Longer than the pause before a reload.
  await page.waitForTimeout(2_000);
  expect(asked).toBe(2);
  await page.getByText("This page could not be loaded").waitFor();
  await page.getByRole("button", { name: "Try again" }).waitFor();
});

test("a first Tab and Enter skip the navigation", async () => {
  await using visitor = await browser.visitor(server.client.url);
  const page = await visitor.open("#/runs");
  await page.getByRole("heading", { name: "Runs" }).waitFor();

  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");

  expect(await page.evaluate(() => document.activeElement?.id)).toBe("main");
  expect(new URL(page.url()).hash).toBe("#/runs");
});

test("a message is written and sent without a mouse; Shift+Enter begins a line", async () => {
  await using visitor = await browser.visitor(server.client.url);
  const page = await visitor.open("#/chat");
  // The composer has the focus from the start.
  await eventually(async () => expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("TEXTAREA"));

  await page.keyboard.type("One line");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("/sim tokens=3");
  await page.keyboard.press("Enter");

  await page.getByText("tok1 tok2 tok3").waitFor();
  expect(await page.locator(".turn-asked p").innerText()).toBe("One line\n/sim tokens=3");
  expect(await page.getByRole("textbox", { name: "Your message" }).inputValue()).toBe("");
  expect(visitor.problems).toEqual([]);
});

test("with API keys the page asks for one, refuses a wrong one, and opens with the right one for good", async () => {
  await using place = await makePlace();
  await using guarded = new Server(place, { env: { API_KEYS: "me:correct-horse-battery" } });
  await eventually(async () => expect((await guarded.client.get("/health")).status).toBe(200));
  await using visitor = await browser.visitor(guarded.client.url);
  const page = await visitor.open("#/processes");
  const field = page.getByLabel("API key");
  await field.waitFor();

  await field.fill("wrong-horse-battery");
  await page.keyboard.press("Enter");

  await eventually(async () => expect(await page.getByRole("alert").innerText()).toMatch(/does not know this key/));
  await picture(page, "key-form");
  await field.fill("correct-horse-battery");
  await page.getByRole("button", { name: "Open the dashboard" }).click();
  // Rows arrive only over the WebSocket.
  await page.getByRole("rowheader", { name: "worker 2" }).waitFor();
  expect(await page.getByRole("status").first().innerText()).toBe("Live");
  await page.reload();
  await page.getByRole("rowheader", { name: "worker 2" }).waitFor();
  // A browser writes each 401 into its console; that is how the page finds out.
  expect(visitor.problems.filter((problem) => !problem.includes("401"))).toEqual([]);
});

test("a tab that shows the key form opens when another tab signs in, and locks when it signs out", async () => {
  await using place = await makePlace();
  await using guarded = new Server(place, { env: { API_KEYS: "me:correct-horse-battery" } });
  await eventually(async () => expect((await guarded.client.get("/health")).status).toBe(200));
  await using visitor = await browser.visitor(guarded.client.url);
  const [first, second] = [await visitor.open("#/processes"), await visitor.open("#/processes")];
  await second.getByLabel("API key").waitFor();

  await first.getByLabel("Stay signed in").uncheck();
  await first.getByLabel("API key").fill("correct-horse-battery");
  await first.keyboard.press("Enter");

  // Rows arrive only over the WebSocket.
  for (const page of [first, second]) await page.getByRole("rowheader", { name: "worker 2" }).waitFor();
  await second.getByText("me · admin").waitFor();
  // The browser keeps the cookie until it is closed.
  expect(await visitor.context.cookies()).toMatchObject([{ name: "evenkeel_session", expires: -1 }]);
  await first.getByRole("button", { name: "Sign out" }).click();
  for (const page of [first, second]) await page.getByLabel("API key").waitFor();
});

test("a sign-out that did not reach the server says so, and can be tried again", async () => {
  await using place = await makePlace();
  await using guarded = new Server(place, { env: { API_KEYS: "me:correct-horse-battery" } });
  await eventually(async () => expect((await guarded.client.get("/health")).status).toBe(200));
  await using visitor = await browser.visitor(guarded.client.url);
  const page = await visitor.open("#/processes");
  await page.getByLabel("API key").fill("correct-horse-battery");
  await page.keyboard.press("Enter");
  const signOut = page.getByRole("button", { name: "Sign out" });
  await signOut.waitFor();
  let isAway = true;
  await page.route("**/api/session", (route) =>
    isAway && route.request().method() === "DELETE" ? route.abort() : route.fallback(),
  );

  await signOut.click();

  await page.getByRole("alert").getByText("cannot be reached").waitFor();
  isAway = false;
  await signOut.click();
  await page.getByLabel("API key").waitFor();
  expect(await visitor.context.cookies()).toEqual([]);
});

test("an agent that came with a reload can be chosen without opening the page anew", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "evenkeel-config-"));
  const dir = folder.path;
  await cp("templates/project/config", dir, { recursive: true });
  await using place = await makePlace();
  await using changing = await new Server(place, { env: { CONFIG_DIR: dir } }).ready();
  await using visitor = await browser.visitor(changing.client.url);
  const page = await visitor.open("#/chat");
  const names = () => page.locator(".composer select option").allInnerTexts();
  await eventually(async () => expect(await names()).toEqual(["assistant"]));
  const file = join(dir, "agents.ts");
  const librarian = 'librarian: { model: "claude-haiku-5-5", description: "x", system: "y", tools: [] },';
  await writeFile(file, (await readFile(file, "utf8")).replace("assistant: {", `${librarian}\n  assistant: {`));

  changing.kill("SIGHUP");
  await eventually(() => expect(changing.stdout).toContain("the new processes serve"), 30_000);

  await eventually(async () => expect(await names()).toContain("librarian"), 30_000);
});

test("a button that works keeps the focus", async () => {
  await using place = await makePlace();
  await using guarded = new Server(place, { env: { API_KEYS: "me:correct-horse-battery" } });
  await eventually(async () => expect((await guarded.client.get("/health")).status).toBe(200));
  await using visitor = await browser.visitor(guarded.client.url);
  const page = await visitor.open();
  await page.getByLabel("API key").fill("wrong-horse-battery");
  const button = page.getByRole("button", { name: "Open the dashboard" });

  await button.focus();
  await page.keyboard.press("Enter");

  await page.getByRole("alert").getByText("does not know this key").waitFor();
  expect(await button.evaluate((element) => element === document.activeElement)).toBe(true);
});

interface Stop {
  readonly tag: string;
  readonly name: string;
  /** Whether the element looks different with the focus. */
  readonly isMarked: boolean;
}

/** Everything that Tab reaches, in order, until the first element comes again. */
async function tabStops(page: Page): Promise<Stop[]> {
  const stops: Stop[] = [];
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(focused);
    // Between the last and the first element, Tab goes through the browser's own frame.
    if (stop === null) continue;
    if (stops.length > 0 && stop.name === stops[0]?.name) break;
    stops.push(stop);
  }
  return stops;
}

function focused(): Stop | null {
  const element = document.activeElement;
  if (!(element instanceof HTMLElement) || element === document.body) return null;
  const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
  const isMarked = (outlineStyle !== "none" && outlineWidth !== "0px") || boxShadow !== "none";
  return { tag: element.tagName, name: element.innerText.trim(), isMarked };
}

/** Lightness of the page's background, 0 to 100; a browser writes it as `lab(L a b)` or `oklch(L c h)`. */
function lightness(page: Page): Promise<number> {
  return page.evaluate(() => {
    const color = getComputedStyle(document.documentElement).backgroundColor;
    const [, space = "", value] = /^(\w+)\(([\d.]+)/.exec(color) ?? [];
    return Number(value) * (space.startsWith("ok") ? 100 : 1);
  });
}
