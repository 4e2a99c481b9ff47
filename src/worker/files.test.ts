/** Pictures and documents: uploaded raw and as a form, in messages as bytes, URL and id, and what the model gets of them. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { MAX_FILE_BYTES } from "../core/limits.ts";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { PIXEL } from "../testing/pictures.ts";

const MUTES = 8;
const PNG = Buffer.from(PIXEL, "base64");

type Sent = NonNullable<RequestInit["body"]>;

interface FileBody {
  readonly file_id: string;
  readonly [field: string]: unknown;
}

async function upload({ client }: Cluster, body: Sent, { query = "", type = "application/octet-stream" } = {}) {
  const headers: Record<string, string> = body instanceof FormData ? {} : { "Content-Type": type };
  const { status, body: answer } = await client.ask(`/api/files${query}`, { method: "POST", body, headers });
  return { status, file: answer as unknown as FileBody, detail: answer.detail };
}

function documentOf(bytes: Buffer) {
  return { type: "document", source: { type: "base64", media_type: "text/plain", data: bytes.toString("base64") } };
}

function twoFiles(): FormData {
  const form = formOf(PNG, "a.png");
  form.append("other", new Blob([Uint8Array.from(PNG)]), "b.png");
  return form;
}

function formOf(bytes: Buffer, name: string): FormData {
  const form = new FormData();
  form.append("file", new Blob([Uint8Array.from(bytes)]), name);
  return form;
}

function chat({ client }: Cluster, message: unknown, more: object = {}) {
  return client.post("/api/chat", { agent_id: "assistant", message, ...more });
}

test("a raw body and a form are the same file, told by its first bytes, and read back byte for byte", async () => {
  await using cluster = await startCluster();
  const raw = await upload(cluster, Uint8Array.from(PNG), { query: "?name=white.png", type: "text/html" });
  expect(raw).toMatchObject({ status: 201, file: { name: "white.png", media_type: "image/png", bytes: PNG.length } });
  expect(raw.file["sha256"]).toBe(createHash("sha256").update(PNG).digest("hex"));
  const form = await upload(cluster, formOf(PNG, "again.png"));
  expect(form.file.file_id).toBe(raw.file.file_id);
  const response = await cluster.client.fetch(`/api/files/${raw.file.file_id}`);
  expect(response.headers.get("content-type")).toBe("image/png");
  expect(response.headers.get("content-security-policy")).toContain("sandbox");
  expect(Buffer.from(await response.arrayBuffer())).toEqual(PNG);
});

test("clients that take nothing of a large file cost the worker little, and are cut off", async () => {
  await using cluster = await startCluster({ runner: false, settings: { slowClientMs: 2_000 } });
  const large = Buffer.alloc(MAX_FILE_BYTES, "hello world\n");
  const { file } = await upload(cluster, Uint8Array.from(large));
  const mutes = Array.from({ length: MUTES }, () =>
    connect(cluster.port, "127.0.0.1")
      .on("error", () => {})
      .pause(),
  );
  onTestFinished(() => mutes.forEach((mute) => mute.destroy()));
  for (const mute of mutes) mute.write(`GET /api/files/${file.file_id} HTTP/1.1\r\nHost: localhost\r\n\r\n`);

  const { outflows } = cluster.delivery.meter;
  await vi.waitFor(() => expect([...outflows].filter(({ full }) => full)).toHaveLength(MUTES), { timeout: 10_000 });
  for (const { queuedBytes } of outflows) expect(queuedBytes).toBeLessThan(1_000_000);
  await vi.waitFor(() => expect(cluster.server.inFlight).toBe(0), { timeout: 10_000 });
  expect(outflows.size).toBe(0);
});

test("a large file is read back byte for byte", async () => {
  await using cluster = await startCluster({ runner: false });
  const large = Buffer.alloc(1_000_003, "hello world\n");
  const { file } = await upload(cluster, Uint8Array.from(large));

  const response = await cluster.client.fetch(`/api/files/${file.file_id}`);

  expect(response.headers.get("content-length")).toBe(String(large.length));
  expect(large.equals(Buffer.from(await response.arrayBuffer()))).toBe(true);
});

test("a file is answered under its name, which does not decide its type", async () => {
  await using cluster = await startCluster();
  const query = `?name=${encodeURIComponent("图.html")}`;
  const { file } = await upload(cluster, "<script>pwned()</script>", { query, type: "text/html" });
  const { headers } = await cluster.client.fetch(`/api/files/${file.file_id}`, { method: "HEAD" });
  expect(headers.get("content-type")).toMatch(/^text\/plain\b/);
  expect(headers.get("content-disposition")).toMatch(/^inline; .*filename\*=UTF-8''%E5%9B%BE.html/);
  expect(headers.get("content-length")).toBe("24");
});

test("a form gives its file's name", async () => {
  await using cluster = await startCluster();
  const { file } = await upload(cluster, formOf(PNG, "cat.png"));
  expect(file).toMatchObject({ name: "cat.png", media_type: "image/png" });
});

test.each<[string, { readonly body: () => Sent; readonly status: number; readonly detail: RegExp }]>([
  ["a program", { body: () => Uint8Array.from([0x7f, 0x45, 0x4c, 0x46, 0]), status: 415, detail: /Expected a PNG/ }],
  ["nothing", { body: () => "", status: 415, detail: /Expected a PNG/ }],
  ["a form without a file", { body: () => new FormData(), status: 400, detail: /one file/ }],
  ["a form with two files", { body: () => twoFiles(), status: 400, detail: /one file/ }],
  ["more than 32 MiB", { body: () => new Uint8Array(MAX_FILE_BYTES + 1), status: 413, detail: /at most/ }],
  [
    "a form with more than 32 MiB",
    { body: () => formOf(Buffer.alloc(MAX_FILE_BYTES + 1), "big"), status: 413, detail: /at most/ },
  ],
])("%s is refused, and nothing stays on the disk", async (_name, { body, status, detail }) => {
  await using cluster = await startCluster();
  const refused = await upload(cluster, body());
  expect(refused.status).toBe(status);
  expect(refused.detail).toMatch(detail);
  expect(await readdir(await cluster.engine.files.incoming())).toEqual([]);
});

const canMount = process.platform === "linux" && process.getuid?.() === 0;

test.runIf(canMount).each<[string, (cluster: Cluster, bytes: Buffer) => Promise<{ readonly status: number }>]>([
  ["a raw body", (cluster, bytes) => upload(cluster, Uint8Array.from(bytes))],
  ["a form", (cluster, bytes) => upload(cluster, formOf(bytes, "a.txt"))],
  ["a message", (cluster, bytes) => chat(cluster, [documentOf(bytes)])],
])("bytes in %s that find the disk full are told so, and nothing stays on the disk", async (_name, send) => {
  await using cluster = await startCluster();
  const folder = await cluster.engine.files.incoming();
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]);
  using _ = { [Symbol.dispose]: () => execFileSync("umount", ["-l", folder]) };

  const { status } = await send(cluster, Buffer.alloc(500_000, "hello "));

  expect(status).toBe(507);
  expect(await readdir(folder)).toEqual([]);
});

test("a picture goes to the model as its bytes, whichever way it came, and the thread keeps its id", async () => {
  await using cluster = await startCluster();
  const { file } = await upload(cluster, Uint8Array.from(PNG));
  const sources = [
    { type: "file", file_id: file.file_id },
    { type: "base64", media_type: "image/png", data: PNG.toString("base64") },
  ];
  for (const source of sources) {
    const message = [
      { type: "text", text: "What is this?" },
      { type: "image", source },
    ];
    expect(await chat(cluster, message, { thread_id: "t" })).toMatchObject({
      status: 200,
      body: { status: "completed" },
    });
  }
  const { body } = await cluster.client.get("/api/threads/t");
  const said = (body["messages"] as { role: string; content: unknown }[]).filter(({ role }) => role === "user");
  const stored = [
    { type: "text", text: "What is this?" },
    { type: "image", source: sources[0] },
  ];
  expect(said.map(({ content }) => content)).toEqual([stored, stored]);
  expect(body["title"]).toBe("What is this?");
});

test("a picture at a URL, a document and a text file go to the model", async () => {
  await using cluster = await startCluster();
  const pdf = await upload(cluster, "%PDF-1.7\n1 0 obj\n");
  const notes = await upload(cluster, "Remember the milk.");
  const message = [
    { type: "image", source: { type: "url", url: "https://example.com/cat.png" } },
    { type: "document", source: { type: "file", file_id: pdf.file.file_id } },
    { type: "document", source: { type: "file", file_id: notes.file.file_id } },
  ];
  expect(await chat(cluster, message)).toMatchObject({ status: 200, body: { status: "completed" } });
});

test("a file that was deleted is told to the model as deleted, and the thread lives on", async () => {
  await using cluster = await startCluster();
  const { file } = await upload(cluster, Uint8Array.from(PNG));
  const message = [{ type: "image", source: { type: "file", file_id: file.file_id } }];
  await chat(cluster, message, { thread_id: "t" });
  expect((await cluster.client.fetch(`/api/files/${file.file_id}`, { method: "DELETE" })).status).toBe(204);
  expect((await cluster.client.get(`/api/files/${file.file_id}`)).status).toBe(404);
  expect(await chat(cluster, "And now?", { thread_id: "t" })).toMatchObject({ body: { status: "completed" } });
});

test.each<[string, unknown, RegExp]>([
  ["a file that does not exist", [{ type: "image", source: { type: "file", file_id: "file_x" } }], /no file "file_x"/],
  [
    "bytes that are no picture",
    [{ type: "image", source: { type: "base64", media_type: "image/png", data: "aGVsbG8=" } }],
    /`message\[0\].source.data` to be the bytes of an image/,
  ],
  ["no part", [], /`message` to be/],
])("%s in a message is refused by name", async (_name, message, detail) => {
  await using cluster = await startCluster();
  const { status, body } = await chat(cluster, message);
  expect([400, 404]).toContain(status);
  expect(body.detail).toMatch(detail);
});

test("a picture that is said to be a document is refused", async () => {
  await using cluster = await startCluster();
  const { file } = await upload(cluster, Uint8Array.from(PNG));
  const message = [{ type: "document", source: { type: "file", file_id: file.file_id } }];
  expect((await chat(cluster, message)).body.detail).toContain('Expected `message[0].type` to be "image"');
});

test("a file of somebody else does not exist", async () => {
  const apiKeys = ["ana", "bob"].map((name) => ({ name, secret: `${name}-long-secret`, role: "client" as const }));
  await using cluster = await startCluster({ settings: { apiKeys } });
  const { file } = await upload(cluster, Uint8Array.from(PNG));
  const bob = { Authorization: "Bearer bob-long-secret", "Content-Type": "application/json" };
  const path = `/api/files/${file.file_id}`;
  const asked = (method: string) => cluster.client.fetch(path, { method, headers: bob });
  expect((await asked("GET")).status).toBe(404);
  expect((await asked("DELETE")).status).toBe(404);
  const message = [{ type: "image", source: { type: "file", file_id: file.file_id } }];
  const body = JSON.stringify({ agent_id: "assistant", message });
  expect((await cluster.client.fetch("/api/chat", { method: "POST", headers: bob, body })).status).toBe(404);
  expect((await cluster.client.fetch(path)).status).toBe(200);
});

test("everybody lists their own files, also who sees everything, page by page and with what they take", async () => {
  const ana = { name: "ana", secret: "ana-long-secret", role: "client" as const };
  const apiKeys = [ana, { name: "eve", secret: "eve-long-secret", role: "admin" as const }];
  await using cluster = await startCluster({ settings: { apiKeys } });
  const texts = ["one", "two", "three"];
  const ids: string[] = [];
  for (const text of texts) ids.push((await upload(cluster, text, { query: `?name=${text}.txt` })).file.file_id);
  const eve = { Authorization: "Bearer eve-long-secret" };
  await cluster.client.fetch("/api/files", { method: "POST", headers: eve, body: Uint8Array.from(PNG) });

  const { body: newest } = await cluster.client.get("/api/files?limit=2");
  const { body: rest } = await cluster.client.get(`/api/files?limit=2&before=${String(newest["next"])}`);

  expect(newest).toMatchObject({ files: [{ file_id: ids[2] }, { file_id: ids[1] }], bytes: 11, max_bytes: 2 ** 30 });
  expect(rest).toMatchObject({ files: [{ file_id: ids[0], name: "one.txt", bytes: 3 }], next: null, bytes: 11 });
  const seen = await (await cluster.client.fetch("/api/files", { headers: eve })).json();
  expect(seen).toMatchObject({ files: [{ media_type: "image/png" }], next: null, bytes: PNG.length });
});

test("bytes that come no further leave nothing on the disk", async () => {
  await using cluster = await startCluster();
  const abort = new AbortController();
  const slow = new ReadableStream({
    start(controller) {
      controller.enqueue(Uint8Array.from(PNG));
      setTimeout(() => abort.abort(), 50);
    },
  });
  const init = { method: "POST", body: slow, signal: abort.signal, duplex: "half" } as RequestInit;
  await expect(cluster.client.fetch("/api/files", init)).rejects.toThrow("abort");
  const folder = await cluster.engine.files.incoming();
  await expect.poll(() => readdir(folder)).toEqual([]);
  expect(await readdir(join(folder, ".."))).toEqual(["incoming"]);
});
