/**
 * Pictures and documents in a real browser, before a server with API keys: chosen, pasted and dropped, sent, and read
 * again. Their content never runs, and no other host is asked.
 */
import type { Page, Route } from "playwright-core";
import { afterAll, expect, test } from "vitest";
import { MAX_FILE_BYTES } from "../../../core/limits.ts";
import { eventually, openSite, picture, type Visitor } from "../../../testing/browser.ts";

const KEY = "correct-horse-battery";

const site = await openSite({ key: KEY });
afterAll(() => site[Symbol.asyncDispose]());
const { server, browser } = site;
const { client } = server;

/** A pixel, 1 × 1. */
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4//8/AwAI/AL+hc2rNAAAAABJRU5ErkJggg==",
  "base64",
);
const PDF = Buffer.from("%PDF-1.4\n1 0 obj <<>> endobj\ntrailer <<>>\n%%EOF\n");
const SVG = Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" onload="pwned()"><script>pwned()</script></svg>`);

const png = (name: string) => ({ name, mimeType: "image/png", buffer: PNG });

test("pictures and PDFs are chosen, pasted and dropped, go with the message, and are there after a reload", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await signedIn(visitor);

  await choose(page, [png("chosen.png"), { name: "report.pdf", mimeType: "application/pdf", buffer: PDF }]);
  await bring(page, "paste", { name: "pasted.png", type: "image/png", bytes: PNG });
  await bring(page, "drop", { name: "dropped.png", type: "image/png", bytes: PNG });

  const attached = page.getByRole("list", { name: "Attached files" });
  for (const name of ["chosen.png", "pasted.png", "dropped.png"]) await seen(attached.getByRole("img", { name }));
  await attached.getByRole("link", { name: /report.pdf/ }).waitFor();
  await picture(page, "chat-attached");
  await page.keyboard.type("What do you see?");
  await page.keyboard.press("Enter");

  await page.locator(".turn-answer").getByText("You sent 3 pictures and 1 document").waitFor();
  expect(await attached.count()).toBe(0);
  const asked = page.locator(".turn-asked");
  const check = async () => {
    await eventually(async () => expect(await asked.getByRole("img").count()).toBe(3));
    for (const image of await asked.getByRole("img").all()) await seen(image);
    const pdf = asked.getByRole("link", { name: /PDF.*report.pdf/ });
    await pdf.waitFor();
    expect(await pdf.getAttribute("download")).toBe("report.pdf");
    expect(await asked.locator("p").innerText()).toBe("What do you see?");
  };
  await check();
  await picture(page, "chat-pictures");
  await page.reload();
  await check();
  await page.getByRole("link", { name: "Run details" }).click();
  await seen(page.getByRole("region", { name: "What was asked" }).getByRole("img").first());
  expect(problemsOf(visitor)).toEqual([]);
});

test("files stay with the draft over a reload, can be removed by keyboard, and a message may have no text", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await signedIn(visitor);
  await choose(page, [png("one.png"), png("two.png")]);
  const attached = page.getByRole("list", { name: "Attached files" });
  await seen(attached.getByRole("img", { name: "two.png" }));

  await page.reload();

  await seen(attached.getByRole("img", { name: "two.png" }));
  await attached.getByRole("button", { name: "Remove one.png" }).focus();
  await page.keyboard.press("Enter");
  await eventually(async () => expect(await attached.getByRole("listitem").count()).toBe(1));
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator(".turn-answer").getByText("You sent 1 picture").waitFor();
  expect(await page.locator(".talk-title").innerText()).toBe("(1 file)");
  expect(problemsOf(visitor)).toEqual([]);
});

test("an upload says how far it is, holds back Send, and can be canceled", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await signedIn(visitor);
  const held: Route[] = [];
  await page.route("**/api/files?*", (route) => void held.push(route));
  await page.getByRole("textbox", { name: "Your message" }).fill("Look");
  const aborted = page.waitForEvent("requestfailed");

  await choose(page, [png("slow.png")]);

  await page.getByRole("progressbar", { name: "Uploading slow.png" }).waitFor();
  await page.getByRole("status").getByText("Uploading…").waitFor();
  expect(await page.getByRole("button", { name: "Send" }).isDisabled()).toBe(true);
  await page.getByRole("button", { name: "Cancel slow.png" }).click();
  expect((await aborted).url()).toContain("/api/files?name=slow.png");
  expect(held).toHaveLength(1);
  expect(await page.getByRole("button", { name: "Send" }).isDisabled()).toBe(false);
});

test("a file that is too large, of a wrong type or beyond the quota is named, and the others stay", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await signedIn(visitor);
  const detail = "Your files take 1 GiB; delete some.";
  await page.route("**/api/files?name=full*", (route) =>
    route.fulfill({ status: 413, json: { code: "FILES_FULL", detail } }),
  );

  await choose(page, [
    { name: "program.png", mimeType: "image/png", buffer: Buffer.from("\x7fELF\0\0\0") },
    png("full.png"),
    png("good.png"),
  ]);

  await bring(page, "drop", { name: "huge.png", type: "image/png", bytes: PNG, padBytes: MAX_FILE_BYTES });

  const row = (name: string) => page.getByRole("listitem").filter({ hasText: name }).getByRole("alert");
  expect(await row("huge.png").innerText()).toBe("It is larger than 32 MiB.");
  expect(await row("program.png").innerText()).toMatch(/^It is no PNG/);
  await row("full.png").waitFor();
  expect(await row("full.png").innerText()).toBe(detail);
  await seen(page.getByRole("img", { name: "good.png" }));
  await picture(page, "chat-refused-files");
  await page.getByRole("status").getByText("Remove the file that failed").waitFor();
});

test("files of others are shown safely: foreign addresses as links, SVG with a script as text to save", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await signedIn(visitor);
  const url = "https://example.com/cat.png?<b>";
  const upload = await client.ask("/api/files?name=drawing.svg", {
    method: "POST",
    body: SVG,
    headers: { "Content-Type": "image/svg+xml" },
  });
  const { file_id: drawing } = upload.body as unknown as { file_id: string };
  const parts = [
    { type: "image", source: { type: "url", url } },
    { type: "document", source: { type: "file", file_id: drawing } },
    { type: "image", source: { type: "base64", media_type: "image/png", data: PNG.toString("base64") } },
    { type: "text", text: "All of it\n/sim tokens=2" },
  ];
  expect((await client.chat(parts, { thread_id: "mixed" })).status).toBe(200);

  await page.goto(`${client.url}/#/chat/mixed`);

  const asked = page.locator(".turn-asked");
  const link = asked.getByRole("link", { name: /^Picture/ }).first();
  expect(await link.getAttribute("href")).toBe(url);
  await seen(asked.getByRole("img"));
  const svg = asked.getByRole("link", { name: /drawing.svg/ });
  expect(await svg.innerText()).toMatch(/Text\s+drawing.svg/);
  const [download] = await Promise.all([page.waitForEvent("download"), svg.click()]);
  expect(download.suggestedFilename()).toBe("drawing.svg");
  // A file that is opened by its address is shown as text, and nothing in it runs.
  const opened = await visitor.context.newPage();
  await opened.goto(`${client.url}/api/files/${drawing}`);
  expect(await opened.locator("body").innerText()).toContain("<script>");
  expect(problemsOf(visitor)).toEqual([]);
});

test("a picture that was deleted says so", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await signedIn(visitor);
  const other = Buffer.concat([PNG, Buffer.from("another")]);
  const upload = await client.ask("/api/files?name=gone.png", { method: "POST", body: other });
  const { file_id: fileId } = upload.body as unknown as { file_id: string };
  await client.chat([{ type: "image", source: { type: "file", file_id: fileId } }], { thread_id: "gone" });
  expect((await client.ask(`/api/files/${fileId}`, { method: "DELETE" })).status).toBe(204);

  await page.goto(`${client.url}/#/chat/gone`);

  await page.locator(".turn-asked").getByText("cannot be loaded; it may be deleted").waitFor();
});

test("a picture whose first request failed is shown soon, without opening the page anew", async () => {
  await using visitor = await browser.visitor(client.url);
  const page = await signedIn(visitor);
  const other = Buffer.concat([PNG, Buffer.from("late")]);
  const upload = await client.ask("/api/files?name=late.png", { method: "POST", body: other });
  const { file_id: fileId } = upload.body as unknown as { file_id: string };
  await client.chat([{ type: "image", source: { type: "file", file_id: fileId } }], { thread_id: "late" });
  let failures = 2;
  await page.route(`**/api/files/${fileId}`, (route) => ((failures -= 1) >= 0 ? route.abort() : route.continue()));

  await page.goto(`${client.url}/#/chat/late`);

  const picture = page.locator(".turn-asked img");
  await eventually(async () => expect(await picture.evaluate(widthOf)).toBeGreaterThan(0));
  expect(failures).toBeLessThan(0);
});

async function signedIn(visitor: Visitor): Promise<Page> {
  const page = await visitor.open("#/chat");
  await page.getByLabel("API key").fill(KEY);
  await page.keyboard.press("Enter");
  await page.getByText("What would you like to know?").waitFor();
  return page;
}

/** A browser writes each 401 into its console; that is how the page finds out that it needs a key. */
function problemsOf({ problems }: Visitor): string[] {
  return problems.filter((problem) => !problem.includes("401"));
}

async function choose(page: Page, files: Parameters<Page["setInputFiles"]>[1]): Promise<void> {
  const [chooser] = await Promise.all([
    page.waitForEvent("filechooser"),
    page.getByRole("button", { name: "Attach" }).click(),
  ]);
  await chooser.setFiles(files);
}

/** Sends the event that a browser sends for a paste, or for a file that is dropped on the page. */
async function bring(
  page: Page,
  how: "paste" | "drop",
  { name, type, bytes, padBytes = 0 }: { name: string; type: string; bytes: Buffer; padBytes?: number },
): Promise<void> {
  const field = page.getByRole("textbox", { name: "Your message" });
  const from = { how, name, type, bytes: [...bytes], padBytes };
  const isTaken = await field.evaluate((element, { how, name, type, bytes, padBytes }) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes), new Uint8Array(padBytes)], name, { type }));
    const about = { bubbles: true, cancelable: true };
    const event =
      how === "paste"
        ? new ClipboardEvent("paste", { ...about, clipboardData: data })
        : new DragEvent("drop", { ...about, dataTransfer: data });
    return !element.dispatchEvent(event);
  }, from);
  expect(isTaken).toBe(true);
}

/** Checks that the browser has decoded the picture. */
async function seen(image: ReturnType<Page["locator"]>): Promise<void> {
  await image.waitFor();
  await eventually(async () =>
    expect(await image.evaluate((element) => (element as HTMLImageElement).naturalWidth)).toBe(1),
  );
}

function widthOf(picture: Element): number {
  return (picture as HTMLImageElement).naturalWidth;
}
