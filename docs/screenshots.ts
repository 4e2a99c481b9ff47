/**
 * Takes the pictures of the README: `npm run build && node docs/screenshots.ts`. The charts of the overview show five
 * minutes, so it takes that long; `node docs/screenshots.ts chat` takes only the picture of the chat, in seconds.
 */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { eventually, openSite } from "../src/testing/browser.ts";

const FOLDER = join(import.meta.dirname, "images");
const CHATS = 20;
const SHOWN_MS = 290_000;
const MESSAGES = [
  "Summarize the incident report\n/sim tokens=900 rate=30",
  "What is the current time in Asia/Tokyo, then calculate 2 ^ 10",
  "Compare the two offers\n/sim tokens=600 thinking=200 rate=40",
  "Draft a reply to the customer\n/sim tokens=300 rate=25 status=529 retry_after=2 times=1",
  "Write the release notes\n/sim tokens=1200 rate=35",
] as const;

await using site = await openSite({ env: { WORKERS: "2", AGENTS: "2", LOG_LEVEL: "error" } });
const { server, browser } = site;
const { client } = server;

if (process.argv[2] !== "chat") await takeOverview();
await takeChat();

async function takeOverview(): Promise<void> {
  const startedAt = performance.now();
  const isTime = () => performance.now() - startedAt < SHOWN_MS;

  const chats = Array.from({ length: CHATS }, async (_, chat) => {
    await delay((chat * SHOWN_MS) / CHATS / 4);
    for (let turn = chat; isTime(); turn += 1) await finish(MESSAGES[turn % MESSAGES.length] ?? "").catch(() => {});
  });
  await using visitor = await browser.visitor(client.url, { colorScheme: "dark" });
  const overview = await visitor.open();
  for (const [kind, at] of [
    ["worker", 0.45],
    ["agent", 0.7],
  ] as const) {
    await delay(startedAt + at * SHOWN_MS - performance.now());
    const [victim] = await server.processes(kind);
    process.kill(victim?.pid ?? 0, "SIGKILL");
  }
  await delay(startedAt + 0.97 * SHOWN_MS - performance.now());
  await overview.screenshot({ path: join(FOLDER, "overview.png") });
  await Promise.all(chats);
}

async function takeChat(): Promise<void> {
  await using reader = await browser.visitor(client.url, { colorScheme: "light" });
  const chat = await reader.open("#/chat");
  const say = async (message: string) => {
    await chat.getByRole("textbox", { name: "Your message" }).fill(message);
    await chat.keyboard.press("Enter");
  };
  await say("Please calculate 1250 * 1.19 / 12");
  await chat.getByText("The tool calculate answered").waitFor();
  await chat.locator("details.tool summary").click();
  await eventually(() => chat.getByRole("button", { name: "Send" }).waitFor());
  await chat.getByLabel("Pictures and documents").setInputFiles(join(FOLDER, "overview.png"));
  await chat.getByRole("img", { name: "overview.png" }).waitFor();
  await say("What does this picture show?");
  await chat.getByText("You sent 1 picture").waitFor();
  await eventually(() => chat.getByRole("button", { name: "Send" }).waitFor());
  await chat.screenshot({ path: join(FOLDER, "chat.png") });
}

/** One chat at a time, even when the worker that was asked is killed. */
async function finish(message: string): Promise<void> {
  const runId = await client.begin(message);
  for (let status: unknown = "queued"; status === "queued" || status === "running";) {
    await delay(300);
    status = await client.get(`/api/runs/${runId}`).then(
      ({ body }) => body.status,
      () => status,
    );
  }
}
