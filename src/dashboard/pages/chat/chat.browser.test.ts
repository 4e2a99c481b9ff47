/**
 * Chatting in a real browser: the words arrive while the model writes them, and the final page shows what the journal
 * says.
 */
import type { Page } from "playwright-core";
import { afterAll, expect, test } from "vitest";
import { eventually, openSite, picture } from "../../../testing/browser.ts";
import { textIn } from "../../../testing/journal.ts";

const site = await openSite();
afterAll(() => site[Symbol.asyncDispose]());
const { server, browser } = site;
const { client } = server;

test("the text grows while the model writes, and is the journal's in the end", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await visitor.open("#/chat");

  await say(page, "/sim tokens=60 rate=40");

  const answer = page.locator(".turn-answer .md");
  await answer.getByText("tok3").waitFor();
  const early = await answer.innerText();
  await picture(page, "chat-streaming");
  await page.getByRole("button", { name: "Stop" }).waitFor();
  await eventually(async () => expect((await answer.innerText()).length).toBeGreaterThan(early.length));
  await answer.getByText("tok60").waitFor();
  await page.getByRole("button", { name: "Send" }).waitFor();
  const journal = textIn(await client.events(await runIdOf(page)));
  expect(await answer.textContent()).toBe(journal);
  expect(journal.slice(0, early.length)).toBe(early);
  expect(early.length).toBeLessThan(journal.length);
  expect(visitor.problems).toEqual([]);
});

test("a tool call shows where it happened, with its arguments and its result", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await visitor.open("#/chat");

  await say(page, "Please calculate 6 * 7");

  await page.getByText("The tool calculate answered: 42").waitFor();
  const items = await page.locator(".turn-answer .item").allInnerTexts();
  expect(items).toEqual([
    "I will call calculate.",
    expect.stringMatching(/^calculate[^]+6 \* 7[^]+done$/),
    "The tool calculate answered: 42",
  ]);
  const tool = page.locator("details.tool");
  await tool.locator("summary").click();
  expect(await tool.getByLabel("Arguments").innerText()).toBe('{\n  "expression": "6 * 7"\n}');
  expect(await tool.getByLabel("Result").innerText()).toBe("42");
  expect(visitor.problems).toEqual([]);
});

test("Stop ends the answer, what was said so far stays, and the conversation goes on", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await visitor.open("#/chat");
  await say(page, "/sim tokens=4000 rate=30");
  await page.getByText("tok5").waitFor();

  await page.getByRole("button", { name: "Stop" }).click();

  await page.getByText("Stopped.").waitFor();
  const runId = await runIdOf(page);
  expect((await client.get(`/api/runs/${runId}`)).body.status).toBe("canceled");
  expect(await page.locator(".turn-answer .md").textContent()).toBe(textIn(await client.events(runId)));
  await say(page, "/sim tokens=2");
  await page.getByText("tok1 tok2", { exact: true }).waitFor();
  expect(visitor.problems).toEqual([]);
});

test("Stop ends the answer that one sees, not the message that another client has queued behind it", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await visitor.open("#/chat");
  await say(page, "/sim tokens=4000 rate=30");
  await page.getByText("tok5").waitFor();
  const runId = await runIdOf(page);
  const queued = await client.begin("/sim tokens=3", { thread_id: threadOf(page) });
  await page.getByText("Waits for the answer above").waitFor();
  await picture(page, "chat-queued");

  await page.getByRole("button", { name: "Stop" }).click();

  await page.getByText("tok1 tok2 tok3", { exact: true }).waitFor();
  const statusOf = async (id: string) => (await client.get(`/api/runs/${id}`)).body.status;
  expect([await statusOf(runId), await statusOf(queued)]).toEqual(["canceled", "completed"]);
  expect(visitor.problems).toEqual([]);
});

test("Enter while an answer is being written asks whether to queue the message or to interrupt", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await visitor.open("#/chat");
  await say(page, "/sim tokens=4000 rate=30");
  await page.getByText("tok5").waitFor();

  await say(page, "/sim tokens=2");
  const question = page.getByRole("group", { name: "An answer is still being written" });
  await picture(page, "chat-question");
  await question.getByRole("button", { name: "Queue it" }).click();
  await page.getByText("Waits for the answer above").waitFor();
  await page.getByRole("button", { name: "Take out of the queue" }).click();
  await page.getByText("Stopped.").waitFor();
  await say(page, "/sim tokens=3");
  await question.getByRole("button", { name: "Interrupt" }).click();

  await page.getByText("tok1 tok2 tok3", { exact: true }).waitFor();
  const foots = page.locator(".turn-answer").first().locator(".turn-foot");
  expect(await foots.innerText()).toContain("Stopped.");
  expect(visitor.problems).toEqual([]);
});

test("beneath an answer stand its time, tokens and cost, and it can be copied", async () => {
  await using visitor = await browser.visitor(client.url, { permissions: ["clipboard-read", "clipboard-write"] });
  const page = await visitor.open("#/chat?agent=assistant");
  await say(page, "/sim tokens=3");
  const foot = page.locator(".turn-answer .turn-foot");
  await foot.getByText("Run details").waitFor();

  await eventually(async () => expect(await foot.innerText()).toMatch(/\d\d:\d\d:\d\d[^]*m?s[^]*· 3 tokens[^]*\$/));
  await foot.getByRole("button", { name: "Copy" }).click();

  await foot.getByText("Copied").waitFor();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("tok1 tok2 tok3");
  expect(visitor.problems).toEqual([]);
});

test("a run that failed says why, and can be tried again", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await visitor.open("#/chat");
  await say(page, "/sim status=400");
  const notes = page.getByRole("alert");
  await notes.getByText("MODEL_REJECTED").waitFor();

  await notes.getByRole("button", { name: "Try again" }).click();

  await eventually(async () => expect(await notes.getByText("MODEL_REJECTED").count()).toBe(2));
  expect(await page.locator(".turn-asked p").allInnerTexts()).toEqual(["/sim status=400", "/sim status=400"]);
  await picture(page, "chat-failed");
  await say(page, "/sim tokens=3");
  await page.getByText("tok1 tok2 tok3").waitFor();
  expect(visitor.problems).toEqual([]);
});

test("a reload in the middle of an answer finds it again, and it goes on to the journal's last byte", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await visitor.open("#/chat");
  await say(page, "/sim tokens=100 rate=40");
  await page.getByText("tok20").waitFor();

  await page.reload();

  const answer = page.locator(".turn-answer .md");
  await answer.getByText("tok21").waitFor();
  expect(await answer.innerText()).not.toContain("tok100");
  await answer.getByText("tok100").waitFor();
  expect(await answer.textContent()).toBe(textIn(await client.events(await runIdOf(page))));
  expect(await page.locator(".turn").count()).toBe(1);
  expect(visitor.problems).toEqual([]);
});

test("a second tab on the thread sees the question and the answer as they come", async () => {
  await using visitor = await browser.visitor(client.url);
  const first = await visitor.open("#/chat");
  await say(first, "/sim tokens=2");
  await first.getByText("tok1 tok2").waitFor();
  const second = await visitor.open(new URL(first.url()).hash);
  await second.getByText("tok1 tok2").waitFor();

  await say(first, "/sim tokens=50 rate=40 thinking=3");

  const answer = second.locator(".turn").last().locator(".turn-answer .md");
  await answer.getByText("tok3").waitFor();
  expect(await answer.innerText()).not.toContain("tok50");
  await answer.getByText("tok50").waitFor();
  expect(await second.locator(".turn-asked p").last().innerText()).toBe("/sim tokens=50 rate=40 thinking=3");
  await first.getByText("tok50").waitFor();
  expect(await answer.textContent()).toBe(await first.locator(".turn").last().locator(".md").textContent());
  expect(visitor.problems).toEqual([]);
});

test("conversations stand in the sidebar, newest first, can be opened and deleted", async () => {
  await using visitor = await browser.visitor(client.url);
  await client.chat("An older conversation", { thread_id: "older" });
  await client.chat("A newer conversation", { thread_id: "newer" });
  const page = await visitor.open("#/chat");
  const threads = page.getByRole("complementary", { name: "Conversations" });
  await threads.getByText("A newer conversation").waitFor();
  const titles = await threads.locator(".threads-title").allInnerTexts();
  expect(titles.indexOf("A newer conversation")).toBeLessThan(titles.indexOf("An older conversation"));

  await threads.getByText("An older conversation").click();

  await page.locator(".turn-answer").getByText("you wrote “An older conversation”").waitFor();
  await say(page, "And now?");
  await page.locator(".turn-answer").getByText("you wrote “And now?”").waitFor();
  await page.getByRole("button", { name: "Send" }).waitFor();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByText("What would you like to know?").waitFor();
  await eventually(async () => expect(await threads.getByText("An older conversation").count()).toBe(0));
  expect((await client.get("/api/threads/older")).status).toBe(404);
  expect(visitor.problems).toEqual([]);
});

test("who opens a tool call at the end of a conversation stays with it, and what is sent next is followed", async () => {
  await using visitor = await browser.visitor(client.url, { viewport: { width: 390, height: 500 } });
  for (let turn = 0; turn < 3; turn += 1) await client.chat("Please calculate 6 * 7", { thread_id: "unfolded" });
  const page = await visitor.open("#/chat/unfolded");
  await eventually(async () => expect(await page.locator("details.tool").count()).toBe(3));
  await eventually(async () => expect(await belowPx(page)).toBe(0));
  const top = await page.evaluate(() => scrollY);

  await page.locator("details.tool summary").last().click();

  await page.getByLabel("Result").last().waitFor();
  await twoFrames(page);
  expect(await page.evaluate(() => scrollY)).toBe(top);
  expect(await belowPx(page)).toBeGreaterThan(20);
  await say(page, "/sim tokens=400 rate=400");
  await page.getByText("tok400").waitFor();
  await eventually(async () => expect(await belowPx(page)).toBe(0));
});

test("a new chat on a phone opens at its beginning, and nothing is wider than the window", async () => {
  // With a mouse the composer would get the focus, and the page would scroll to it.
  const phone = { viewport: { width: 375, height: 480 }, isMobile: true, hasTouch: true };
  await using visitor = await browser.visitor(client.url, phone);
  const page = await visitor.open("#/chat");
  await page.getByRole("definition").last().waitFor();
  await twoFrames(page);

  expect(await belowPx(page)).toBeGreaterThan(0);
  expect(await page.evaluate(() => scrollY)).toBe(0);
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
});

test("a message that is too large can be taken back and written anew", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await visitor.open("#/chat");
  const field = page.getByRole("textbox", { name: "Your message" });
  await say(page, "x".repeat(1_048_577));
  const note = page.getByRole("alert");
  await note.getByText("takes 1.1 MiB, and 1 MiB is allowed").waitFor();
  // The server would refuse it again.
  expect(await note.getByRole("button", { name: "Try again" }).count()).toBe(0);

  await note.getByRole("button", { name: "Edit" }).click();

  await eventually(async () => expect((await field.inputValue()).length).toBe(1_048_577));
  expect(await page.locator(".turn").count()).toBe(0);
  await say(page, "/sim tokens=2");
  await page.getByText("tok1 tok2", { exact: true }).waitFor();
  expect(await page.locator(".turn").count()).toBe(1);
  expect(visitor.problems).toEqual([]);
});

test("older messages of a very long conversation come above what one reads, which stays in its place", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await visitor.open();
  // Pages as the server would make them of 13 MB: one message a page.
  await page.route("**/api/threads/long*", (route) => {
    const before = Number(new URL(route.request().url()).searchParams.get("before") ?? 13);
    const message = { role: "user", content: `turn-${before}-\n${"x\n".repeat(20)}`, run_id: `r${before}`, at: before };
    return route.fulfill({ json: { title: "Long", messages: [message], next: before > 1 ? before - 1 : null } });
  });
  await page.goto(`${client.url}/#/chat/long`);
  const older = page.getByRole("button", { name: "Older messages" });
  await older.waitFor();
  await older.scrollIntoViewIfNeeded();
  const turn = page.locator(".turn-asked", { hasText: "turn-4-" });
  const before = await turn.evaluate((element) => Math.round(element.getBoundingClientRect().top));

  await older.click();

  await page.locator(".turn-asked").getByText("turn-1-").waitFor();
  await twoFrames(page);
  expect(await older.count()).toBe(0);
  const after = await turn.evaluate((element) => Math.round(element.getBoundingClientRect().top));
  // The button above the messages is gone.
  expect(Math.abs(after - before)).toBeLessThan(60);
  expect(visitor.problems).toEqual([]);
});

test("an address under which there is no conversation says so", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await visitor.open("#/chat/nope");

  await page.getByText("There is no such conversation").waitFor();
  await page.getByRole("link", { name: "Start a new one" }).click();

  await page.getByText("What would you like to know?").waitFor();
  expect(new URL(page.url()).hash).toBe("#/chat");
});

/** How far the end of the page is from the end of the window. */
function belowPx(page: Page): Promise<number> {
  return page.evaluate(() => Math.round(document.documentElement.scrollHeight - innerHeight - scrollY));
}

/** After two frames, every effect of a change of size has happened. */
async function twoFrames(page: Page): Promise<void> {
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

function threadOf(page: Page): string {
  return new URL(page.url()).hash.split("/").at(-1) ?? "";
}

async function say(page: Page, message: string): Promise<void> {
  await page.getByRole("textbox", { name: "Your message" }).fill(message);
  await page.keyboard.press("Enter");
}

/** Of the newest turn. */
async function runIdOf(page: Page): Promise<string> {
  const link = await page.getByRole("link", { name: "Run details" }).last().getAttribute("href");
  return link?.split("/").at(-1) ?? "";
}
