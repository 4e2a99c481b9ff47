import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { isPublic, readUrl, textOfHtml, tool } from "../../../../config/tools/fetch_url.ts";
import { runTool } from "../../../testing/run-tool.ts";

const { signal } = new AbortController();

test.each([
  "http://127.0.0.1/",
  "http://127.1/",
  "http://2130706433/",
  "http://0x7f.1/",
  "http://localhost:8000/",
  "http://[::1]/",
  "http://[::ffff:10.0.0.1]/",
  "http://[64:ff9b::a00:1]/",
  "http://10.0.0.1/",
  "http://192.168.1.1/",
  "http://169.254.169.254/latest/meta-data/",
  "http://100.64.0.1/",
  "http://0.0.0.0/",
  "http://[fd00::1]/",
  "http://[fe80::1]/",
  "http://[2002:7f00:1::]/",
])("%s is not read", async (url) => {
  await expect(runTool(tool, { url })).rejects.toThrow(/not on the public internet/);
});

test.each(["file:///etc/passwd", "ftp://example.org/", "javascript:alert(1)", "no url"])("%s does not fit", (url) => {
  expect(tool.input.safeParse({ url }).success).toBe(false);
});

test.each(["1.1.1.1", "93.184.216.34", "2606:4700::1111"])("%s is public", (address) => {
  expect(isPublic(address)).toBe(true);
});

test("a page comes as plain text", async () => {
  const url = await serve((_request, response) => {
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    response.end("<title>T</title><script>alert(1)</script><h1>Grüße</h1><p>a &amp; b&#33;</p><!-- no -->");
  });

  expect(await readUrl(url, { signal, isAllowed: () => true })).toBe(`${url.href} (200)\n\nT Grüße\na & b!`);
});

test("each redirect is checked again, also one to a name", async () => {
  const url = await serve((request, response) => {
    const to = request.url === "/address" ? "http://169.254.169.254/secret" : "http://localhost:1/secret";
    response.writeHead(302, { Location: to }).end();
  });
  let asked = 0;
  // Only the first address is allowed: it belongs to the test's own server.
  const isAllowed = () => (asked += 1) === 1;

  await expect(readUrl(new URL("/address", url), { signal, isAllowed })).rejects.toThrow("169.254.169.254 is not on");
  asked = 0;
  await expect(readUrl(new URL("/name", url), { signal, isAllowed })).rejects.toThrow("localhost is not on");
});

test("redirects in a circle end", async () => {
  const url = await serve((_request, response) => response.writeHead(302, { Location: "/" }).end());

  await expect(readUrl(url, { signal, isAllowed: () => true })).rejects.toThrow("more than 5 times");
});

test("a page without end is cut, and one that is no text is refused", async () => {
  const url = await serve((request, response) => {
    response.setHeader("Content-Type", request.url === "/image" ? "image/png" : "text/plain");
    const send = (): void => void (response.destroyed || response.write("x".repeat(100_000), () => setImmediate(send)));
    send();
  });

  const text = await readUrl(url, { signal, isAllowed: () => true });

  expect(text).toMatch(/x\n\[cut: the page is longer\]$/);
  expect(text.length).toBeLessThan(66_000);
  await expect(readUrl(new URL("/image", url), { signal, isAllowed: () => true })).rejects.toThrow("is no text");
});

test("entities that name no character stay as they are", () => {
  expect(textOfHtml("&#x110000; &bogus; &lt;b&gt;")).toBe("&#x110000; &bogus; <b>");
});

async function serve(listener: RequestListener): Promise<URL> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}
