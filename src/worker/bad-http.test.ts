import { once } from "node:events";
import { connect } from "node:net";
import { Duplex } from "node:stream";
import { expect, test, vi } from "vitest";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { refuseBadHttp } from "./bad-http.ts";

const POST = "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

test.each([
  [
    "headers of 80 KB",
    `GET /health HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(80_000)}\r\n\r\n`,
    431,
    "64 KiB of headers. Cookies",
  ],
  ["a request line that is none", "hello?\r\n\r\n", 400, "cannot be read as HTTP/1.1"],
  [
    "two Hosts",
    "GET /health HTTP/1.1\r\nHost: localhost\r\nhost: evil.example\r\nConnection: close\r\n\r\n",
    400,
    "one Host",
  ],
  ["no Host", "GET /health HTTP/1.1\r\nConnection: close\r\n\r\n", 400, "Host header"],
  ["a chunk without a length", `${POST}Transfer-Encoding: chunked\r\n\r\nx\r\n`, 400, "cannot be read as HTTP/1.1"],
])("%s is answered with a problem, and the connection is over", async (...[, bytes, status, detail]) => {
  await using cluster = await startCluster({ runner: false });

  const answer = await askRaw(cluster, bytes);

  expect(problemIn(answer)).toEqual({
    status,
    code: status === 431 ? "HEADERS_TOO_LARGE" : "INVALID_REQUEST",
    detail: expect.stringContaining(detail),
  });
  expect((await cluster.client.get("/health")).status).toBe(200);
});

test("without Host too who asks by HTTP/1.0 is served under an API key", async () => {
  await using cluster = await startCluster({ settings: { apiKeys: [{ name: "ana", secret: "12345678" }] } });

  expect(await askRaw(cluster, "GET /health HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1\.1 200 /);
});

test.each([
  "/%",
  "/api/runs/%ff",
  "/api/runs/%00",
  "//",
  "/api/activities?%",
  "/api/../../x",
  "*",
  "http://[/",
  "/api/runs?a=%zz",
])("a malformed target (%s) is no 500", async (target) => {
  await using cluster = await startCluster();

  expect(await askRaw(cluster, `GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)).toMatch(
    /^HTTP\/1\.1 (200|4\d\d) /,
  );
});

test.each(["[", "a b", "%", "evil.example:99999999", ""])(
  "a malformed Host (%j) is no 500 even with API keys",
  async (host) => {
    await using cluster = await startCluster({ settings: { apiKeys: [{ name: "ana", secret: "12345678" }] } });

    const head = `GET /api/runs HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer 12345678\r\nConnection: close\r\n\r\n`;
    expect(await askRaw(cluster, head)).toMatch(/^HTTP\/1\.1 (200|4\d\d) /);
  },
);

test("a request that says both Content-Length and chunked is refused", async () => {
  await using cluster = await startCluster();
  const head = "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

  const answer = await askRaw(cluster, `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`);

  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
});

test("what cannot be read behind a response under way cuts it, and puts nothing into its midst", async () => {
  await using cluster = await startCluster();
  const body = JSON.stringify({ agent_id: "assistant", message: "/sim tokens=100000 rate=20" });
  const head = `${POST.replace("/chat", "/chat/stream")}Content-Length: ${body.length}\r\n\r\n`;
  const socket = connect(cluster.port, "127.0.0.1");
  let text = "";
  socket.setEncoding("utf8").on("data", (data) => (text += String(data)));
  socket.on("error", () => {});
  const closed = once(socket, "close");
  socket.write(head + body);
  while (!text.includes("RUN_STARTED")) await once(socket, "data");

  socket.write("hello?\r\n\r\n");
  await closed;

  expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200"]);
  expect(text).not.toContain("cannot be read");
});

test.each([
  ["ERR_HTTP_REQUEST_TIMEOUT", "REQUEST_TIMEOUT", 408],
  ["HPE_CHUNK_EXTENSIONS_OVERFLOW", "BODY_TOO_LARGE", 413],
])("%s is answered with %s", (reason, code, status) => {
  const socket = new Pipe();

  refuseBadHttp(errorOf(reason), socket);

  expect(problemIn(socket.text)).toMatchObject({ status, code });
  expect(socket.destroyed).toBe(true);
});

test("a connection that is gone is not written to", () => {
  const socket = new Pipe();
  socket.destroy();

  const write = vi.spyOn(socket, "write");

  refuseBadHttp(errorOf("ECONNRESET"), socket);

  expect(write).not.toHaveBeenCalled();
});

/** Keeps everything that is written to it. */
class Pipe extends Duplex {
  text = "";

  constructor() {
    super({ read: () => {} });
    this.on("error", () => {});
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

function errorOf(code: string): Error {
  return Object.assign(new Error("Parse Error"), { code });
}

/** The `detail` of the problem, when the answer is a well-formed problem; otherwise the whole answer. */
function problemIn(answer: string): unknown {
  const [head = "", body = ""] = answer.split("\r\n\r\n");
  const isProblem =
    head.includes("\r\nContent-Type: application/problem+json; charset=utf-8\r\n") &&
    head.toLowerCase().includes("\r\nconnection: close") &&
    head.includes(`\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`);
  if (!isProblem) return answer;
  const { status, code, detail, request_id: requestId } = JSON.parse(body) as Record<string, unknown>;
  const isWhole = head.startsWith(`HTTP/1.1 ${String(status)} `) && head.includes(`X-Request-Id: ${String(requestId)}`);
  return isWhole ? { status, code, detail } : answer;
}

/** @returns the whole answer, up to the server's close */
async function askRaw({ port }: Cluster, bytes: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let answer = "";
  socket.setEncoding("utf8").on("data", (chunk) => (answer += String(chunk)));
  // The server resets the connection when we send more after its last byte.
  socket.on("error", () => {});
  const closed = once(socket, "close");
  socket.write(bytes);
  await closed;
  return answer;
}
