import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { ROUTES } from "../api/routes.ts";
import { startCluster } from "../testing/cluster.ts";
import { docsPage, type OpenApiDocument } from "./docs-page.ts";

const document = JSON.parse(await readFile("docs/openapi.json", "utf8")) as OpenApiDocument;

test("the page is served to a browser without a key, and allows no script and no style but its own", async () => {
  await using cluster = await startCluster({
    settings: { apiKeys: [{ name: "a", secret: "secret-of-a", role: "admin" }] },
  });
  const response = await fetch(`http://127.0.0.1:${cluster.port}/docs`);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toMatch(/^text\/html/);
  expect(response.headers.get("content-security-policy")).toMatch(/^default-src 'none'; style-src 'sha256-[^']+';/);
  const page = await response.text();
  expect(page).not.toMatch(/<script|style=|\son\w+=/);
});

test("it has every route and every named shape, and each link leads somewhere on it", () => {
  const page = docsPage(document);
  for (const { path, summary } of ROUTES) {
    expect(page).toContain(`<span class="path">${path}</span>`);
    expect(page.replaceAll(/<\/?code>/g, "`")).toContain(summary);
  }
  const ids = new Set([...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
  const targets = [...page.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
  expect(targets.filter((target) => !ids.has(target))).toEqual([]);
  expect([...ids]).toEqual(expect.arrayContaining(Object.keys(document.components.schemas)));
});

test("a document's texts are text", () => {
  const page = docsPage({ ...document, info: { ...document.info, description: `<img src=x> "&" \`a<b\`` } });
  expect(page).toContain("&lt;img src=x&gt; &quot;&amp;&quot; <code>a&lt;b</code>");
});
