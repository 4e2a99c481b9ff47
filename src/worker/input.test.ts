import { expect, test } from "vitest";
import { defineAgents } from "../core/agent.ts";
import type { Reply } from "../testing/client.ts";
import { startCluster } from "../testing/cluster.ts";

const JSON_TYPE = { "Content-Type": "application/json" };

/** Status and code of a refusal that has the form of all refusals; otherwise its text. */
function problemIn(reply: Reply): string {
  const { status, headers, body } = reply;
  const { type, title, code, detail, request_id: requestId } = body;
  const isWellFormed =
    headers.get("content-type") === "application/problem+json; charset=utf-8" &&
    type === `urn:evenkeel:error:${code.toLowerCase().replaceAll("_", "-")}` &&
    /\w/.test(String(title)) &&
    /\w.*\.$/.test(detail) &&
    body.status === status &&
    requestId === headers.get("x-request-id");
  return isWellFormed ? `${status} ${code}` : JSON.stringify({ status, headers: [...headers], body });
}

test("an agent that does not exist is refused with the ones that do", async () => {
  await using cluster = await startCluster();

  const reply = await cluster.client.chat("hello", { agent_id: "nobody" });

  expect(problemIn(reply)).toBe("404 AGENT_NOT_FOUND");
  expect(reply.body.detail).toContain('"assistant"');
});

test.each([
  ["/api/chat", "with `agent_id`, `message`."],
  ["/api/scale", "with any of `workers`, `agents`."],
  ["/api/jobs", "with `tool`."],
])("a body for %s that is no object is answered with the fields of that route", async (path, said) => {
  await using cluster = await startCluster();
  const { status, body } = await cluster.client.post(path, []);

  expect(status).toBe(400);
  expect(body.detail).toBe(`Expected the body to be a JSON object ${said}`);
});

test.each([
  [{}, "Expected `body` to be a JSON object with `workers`, `agents`, or both, got {}."],
  [{ agents: null }, 'Expected `body` to be a JSON object with `workers`, `agents`, or both, got {"agents":null}.'],
  [{ workers: 0 }, 'Expected `workers` to be a whole number from 1 to 256, or "default", got 0.'],
  [{ agents: "auto" }, 'Expected `agents` to be a whole number from 1 to 256, or "default", got "auto".'],
])("a size of %o is refused", async (body, said) => {
  await using cluster = await startCluster();
  const reply = await cluster.client.post("/api/scale", body);

  expect(problemIn(reply)).toBe("400 INVALID_REQUEST");
  expect(reply.body.detail).toBe(said);
});

const NESTED = "[".repeat(100_000);
const BAD_BODIES: [string, unknown, number, string][] = [
  ["no message", { agent_id: "assistant" }, 400, "INVALID_REQUEST"],
  ["a message that is a number", { agent_id: "assistant", message: 5 }, 400, "INVALID_REQUEST"],
  ["a message that is null", { agent_id: "assistant", message: null }, 400, "INVALID_REQUEST"],
  ["a message that is an object", { agent_id: "assistant", message: { text: "hi" } }, 400, "INVALID_REQUEST"],
  ["an empty message", { agent_id: "assistant", message: "" }, 400, "INVALID_REQUEST"],
  ["a message of blanks", { agent_id: "assistant", message: " \n\t" }, 400, "INVALID_REQUEST"],
  ["no agent_id", { message: "hello" }, 400, "INVALID_REQUEST"],
  ["an agent_id that is a number", { agent_id: 1, message: "hello" }, 400, "INVALID_REQUEST"],
  ["an agent_id from the prototype", { agent_id: "__proto__", message: "hello" }, 404, "AGENT_NOT_FOUND"],
  ["a run_id with a slash", { agent_id: "assistant", message: "hello", run_id: "../x" }, 400, "INVALID_REQUEST"],
  ["an empty thread_id", { agent_id: "assistant", message: "hello", thread_id: "" }, 400, "INVALID_REQUEST"],
  [
    "a thread_id of 129",
    { agent_id: "assistant", message: "hello", thread_id: "t".repeat(129) },
    400,
    "INVALID_REQUEST",
  ],
  ["timeout_ms 0", { agent_id: "assistant", message: "hello", timeout_ms: 0 }, 400, "INVALID_REQUEST"],
  ["timeout_ms 1.5", { agent_id: "assistant", message: "hello", timeout_ms: 1.5 }, 400, "INVALID_REQUEST"],
  [
    "an unknown strategy",
    { agent_id: "assistant", message: "hello", multitask_strategy: "fork" },
    400,
    "INVALID_REQUEST",
  ],
  ["an unknown on_disconnect", { agent_id: "assistant", message: "hello", on_disconnect: 1 }, 400, "INVALID_REQUEST"],
  ["metadata that is a list", { agent_id: "assistant", message: "hello", metadata: [] }, 400, "INVALID_REQUEST"],
  [
    "too much metadata",
    { agent_id: "assistant", message: "hello", metadata: { a: "x".repeat(17_000) } },
    400,
    "INVALID_REQUEST",
  ],
  ["an unknown field", { agent_id: "assistant", message: "hello", on_disconect: "cancel" }, 400, "INVALID_REQUEST"],
  ["an unknown field that is null", { agent_id: "assistant", message: "hello", x: null }, 400, "INVALID_REQUEST"],
  ["a list", [], 400, "INVALID_REQUEST"],
  ["null", null, 400, "INVALID_REQUEST"],
  ["a string", '"hello"', 400, "INVALID_REQUEST"],
  ["nothing", "", 400, "INVALID_JSON"],
  ["half of JSON", '{"agent_id":"assistant",', 400, "INVALID_JSON"],
  ["JSON nested 100,000 deep", NESTED, 400, "INVALID_JSON"],
];
test.each(["/api/chat", "/api/chat/stream", "/api/chat/async"])("%s refuses every body that is wrong", async (path) => {
  await using cluster = await startCluster();
  for (const [name, body, status, code] of BAD_BODIES) {
    const reply = await cluster.client.post(path, body);
    expect([name, problemIn(reply)]).toEqual([name, `${status} ${code}`]);
  }
  expect((await cluster.client.get("/api/runs")).body["runs"]).toEqual([]);
});

test("an unknown field is named with the known ones, and metadata may hold any", async () => {
  await using cluster = await startCluster();

  const { body } = await cluster.client.chat("hello", { on_disconect: "cancel" });
  const { status } = await cluster.client.chat("/sim tokens=1", { metadata: { on_disconect: "cancel" } });

  expect(body.detail).toMatch(
    /^There is no field "on_disconect"; known are `agent_id`, .*`on_disconnect`, .*`metadata`, .*\.$/,
  );
  expect(status).toBe(200);
});

const [TWO, CHAT_FIELDS] = [{ mesage: "a", message: 5 }, ["mesage", "agent_id", "message"]];

test.each<[string, unknown, readonly string[]]>([
  ["/api/chat", TWO, CHAT_FIELDS],
  ["/api/chat/stream", TWO, CHAT_FIELDS],
  ["/api/chat/async", TWO, CHAT_FIELDS],
  ["/api/chat", { id: "!", messages: "x" }, ["id", "messages"]],
  ["/api/jobs", { tol: "x", input: [], timeout_ms: 0 }, ["tol", "tool", "input", "timeout_ms"]],
  ["/api/files?nam=x&purpose=y", "text", ["nam", "purpose"]],
  ["/api/runs?limit=0&before=x&sort=asc", undefined, ["limit", "before", "sort"]],
  ["/api/agui/assistant", { threadId: "!", messages: [] }, ["threadId", "runId", "messages"]],
  ["/v1/chat/completions", { n: 2, tools: [{}], messages: [] }, ["model", "n", "tools", "messages"]],
  ["/v1/responses", { store: "no" }, ["model", "input", "store"]],
])("%s names each mistake of a request by its field (%j)", async (path, body, fields) => {
  await using cluster = await startCluster({ runner: false });
  const isText = typeof body === "string";
  const reply =
    body === undefined
      ? await cluster.client.get(path)
      : await cluster.client.post(path, body, isText ? { "Content-Type": "text/plain" } : {});
  expect(reply.status).toBe(400);
  const { error } = reply.body as { error?: { message: string } };
  const detail = error?.message ?? reply.body.detail;
  for (const field of fields) expect(detail).toMatch(new RegExp(`[\`"]${field}[\`"]( to be|[,;])`));
});

test("bytes that are not UTF-8 are refused as JSON", async () => {
  await using cluster = await startCluster();
  const body = Buffer.from('{"agent_id":"assistant","message":"\xff"}', "latin1");

  const reply = await cluster.client.ask("/api/chat", { method: "POST", headers: JSON_TYPE, body });

  expect(problemIn(reply)).toBe("400 INVALID_JSON");
});

test("a body above 1 MiB is refused, with its length told or not", async () => {
  await using cluster = await startCluster();
  const body = JSON.stringify({ agent_id: "assistant", message: "x".repeat(1024 * 1024) });

  expect(problemIn(await cluster.client.post("/api/chat", body))).toBe("413 BODY_TOO_LARGE");

  const chunks = new Blob([body]).stream();
  const init = { method: "POST", headers: JSON_TYPE, body: chunks, duplex: "half" };
  expect(problemIn(await cluster.client.ask("/api/chat", init as RequestInit))).toBe("413 BODY_TOO_LARGE");
});

test("a body of just under 1 MiB is served", async () => {
  const agents = defineAgents({ assistant: { model: "simulated-model", context: { tokens: 1_000_000 } } });
  await using cluster = await startCluster({ contextTokens: 1_000_000, agents });
  const message = `/sim tokens=1\n${"x".repeat(1024 * 1024 - 200)}`;

  expect((await cluster.client.chat(message)).body).toMatchObject({ status: "completed", reply: "tok1" });
});

test.each([
  ["text/plain", { "Content-Type": "text/plain" }],
  ["a form", { "Content-Type": "application/x-www-form-urlencoded" }],
  ["nonsense", { "Content-Type": ";;;" }],
  ["gzip", { ...JSON_TYPE, "Content-Encoding": "gzip" }],
])("a body that comes as %s is refused, although it is JSON", async (_name, headers) => {
  await using cluster = await startCluster();
  const body = JSON.stringify({ agent_id: "assistant", message: "hello" });

  const reply = await cluster.client.ask("/api/chat", { method: "POST", headers, body });

  expect(problemIn(reply)).toBe("415 UNSUPPORTED_MEDIA_TYPE");
});

test("a JSON type with a charset is served", async () => {
  await using cluster = await startCluster();

  const reply = await cluster.client.chat("hello", {}, { "Content-Type": "Application/JSON; charset=utf-8" });

  expect(reply.status).toBe(200);
});

test.each(["/api/runs", "/api/threads", "/api/activities", "/api/runs/mine/events"])(
  "%s refuses a limit or position that is no whole number in range",
  async (path) => {
    await using cluster = await startCluster();
    await cluster.client.chat("/sim tokens=1", { run_id: "mine" });
    const bad = ["", "-1", "1e309", "1.5", "abc", "0x10", "%20", "9".repeat(17), "1".repeat(10_000), "NaN"];
    const names = { "/api/activities": ["before", "after"], "/api/runs/mine/events": ["after"] }[path] ?? ["before"];

    for (const name of ["limit", ...names]) {
      for (const value of bad) {
        const reply = await cluster.client.get(`${path}?${name}=${value}`);
        expect([name, value, problemIn(reply)]).toEqual([name, value, "400 INVALID_REQUEST"]);
      }
    }
    for (const query of ["limit=0", "limit=501", "limit=1&limit=2"]) {
      expect(problemIn(await cluster.client.get(`${path}?${query}`))).toBe("400 INVALID_REQUEST");
    }
  },
);

test.each(["", "-1", "1e309", "abc", "1.5", "x".repeat(10_000), "99999", "9007199254740993"])(
  "a Last-Event-ID that the run does not have is refused, never a 500 (%#)",
  async (id) => {
    await using cluster = await startCluster();
    await cluster.client.chat("/sim tokens=1", { run_id: "mine" });

    const headers = { Accept: "text/event-stream", "Last-Event-ID": id };
    expect(problemIn(await cluster.client.get("/api/runs/mine/events", headers))).toBe("400 INVALID_REQUEST");
  },
);

test("what does not exist is 404, by its own code", async () => {
  await using cluster = await startCluster();

  expect(problemIn(await cluster.client.get("/api/nothing"))).toBe("404 NOT_FOUND");
  expect(problemIn(await cluster.client.get("/api/runs/none"))).toBe("404 RUN_NOT_FOUND");
  expect(problemIn(await cluster.client.get("/api/runs/none/events"))).toBe("404 RUN_NOT_FOUND");
  expect(problemIn(await cluster.client.post("/api/runs/none/cancel"))).toBe("404 RUN_NOT_FOUND");
  expect(problemIn(await cluster.client.get("/api/chat/task/none"))).toBe("404 RUN_NOT_FOUND");
  expect(problemIn(await cluster.client.get("/api/threads/none"))).toBe("404 THREAD_NOT_FOUND");
  expect(problemIn(await cluster.client.ask("/api/threads/none", { method: "DELETE" }))).toBe("404 THREAD_NOT_FOUND");
});

test.each([
  ["GET", "/api/chat", "POST"],
  ["DELETE", "/api/runs", "HEAD, GET"],
  ["PUT", "/api/activities", "POST, HEAD, GET"],
  ["POST", "/info", "HEAD, GET"],
  ["PUT", "/health", "HEAD, GET"],
  ["DELETE", "/health?x=1", "HEAD, GET"],
  ["PROPFIND", "/health", "HEAD, GET"],
])("%s %s is 405 and names the methods that are allowed", async (method, path, allow) => {
  await using cluster = await startCluster();

  const reply = await cluster.client.ask(path, { method });

  expect(problemIn(reply)).toBe("405 METHOD_NOT_ALLOWED");
  expect(reply.headers.get("allow")).toBe(allow);
  expect(reply.body.detail).toContain(`does not serve ${method}; use ${allow}.`);
});

test.each(["GET", "PUT", "PROPFIND"])("%s of a path that is none is 404", async (method) => {
  await using cluster = await startCluster();

  expect(problemIn(await cluster.client.ask("/nothing", { method }))).toBe("404 NOT_FOUND");
});

test.each(["GET", "POST"])("%s /ws without an upgrade is told to open it as a WebSocket", async (method) => {
  await using cluster = await startCluster();

  const reply = await cluster.client.ask("/ws?x=1", { method });

  expect(problemIn(reply)).toBe("426 UPGRADE_REQUIRED");
  expect(reply.headers.get("upgrade")).toBe("websocket");
  expect(reply.headers.get("connection")).toContain("Upgrade");
  expect(reply.body.detail).toContain("as a WebSocket");
});

test("a client's own X-Request-Id comes back, unless it is not a sane one", async () => {
  await using cluster = await startCluster();
  const idOf = async (id: string) =>
    (await cluster.client.get("/api/nothing", { "X-Request-Id": id })).body["request_id"];

  expect(await idOf("my-id.1")).toBe("my-id.1");
  expect(await idOf("a b")).toMatch(/^req_/);
  expect(await idOf("x".repeat(129))).toMatch(/^req_/);
});

test("half a surrogate pair, and JSON nested too deep, are a 400 that names the field", async () => {
  await using cluster = await startCluster({ runner: false });
  const post = (body: string) =>
    cluster.client.ask("/api/chat", { method: "POST", headers: JSON_TYPE, body: `{"agent_id":"assistant",${body}}` });
  const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;

  const half = await post(String.raw`"message":"half \ud83d"`);
  const nested = await post(`"message":"hi","metadata":{"a":${deep}}`);

  expect(half).toMatchObject({
    status: 400,
    body: { detail: expect.stringContaining("Expected `message` to be text") },
  });
  expect(nested).toMatchObject({
    status: 400,
    body: { detail: "Expected `metadata` to be nested at most 200 levels deep." },
  });
});
