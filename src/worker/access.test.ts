/** Users with tokens of an identity provider: tokens, sessions, other origins, and what one user may have at once. */
import { once } from "node:events";
import { connect } from "node:net";
import { PassThrough } from "node:stream";
import { expect, test, vi } from "vitest";
import { defineAccess, type AccessConfig } from "../core/access.ts";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { AUDIENCE, ISSUER, startIdentityProvider, type IdentityProviderStub } from "../testing/identity-provider.ts";
import { SocketClient } from "../testing/socket.ts";
import { WrongKeys } from "./wrong-keys.ts";

const ANA = { name: "ana", secret: "ana-secret-1", role: "client" } as const;
const BEARER = { Authorization: `Bearer ${ANA.secret}` };
const APP = "https://app.example";

function startWithAna(access: AccessConfig = {}): Promise<Cluster> {
  return startCluster({ settings: { apiKeys: [ANA] }, access: defineAccess(access), runner: false });
}

function providerOf({ jwksUrl }: Pick<IdentityProviderStub, "jwksUrl">) {
  return {
    name: "login",
    issuer: ISSUER,
    audience: AUDIENCE,
    jwksUrl,
    roleClaim: "groups",
    roles: { ops: "admin" as const },
  };
}

/** A request without the client's own key. */
function get({ client }: Cluster, path: string, headers: Record<string, string>): Promise<Response> {
  return fetch(`${client.url}${path}`, { headers });
}

const statusOf = async (response: Promise<Response>) => (await response).status;

test("a user that a token names chats as itself, and sees no other user's runs", async () => {
  await using provider = await startIdentityProvider();
  await using cluster = await startWithAna({ identityProviders: [providerOf(provider)] });
  const [ada, bob] = await Promise.all(["ada", "bob"].map((sub) => provider.sign({ sub })));
  const body = { agent_id: "assistant", message: "hello", run_id: "hers" };

  expect((await cluster.client.post("/api/chat/async", body, { Authorization: `Bearer ${ada}` })).status).toBe(202);

  expect(await statusOf(get(cluster, "/api/runs/hers", { Authorization: `Bearer ${ada}` }))).toBe(200);
  expect(await statusOf(get(cluster, "/api/runs/hers", { Authorization: `Bearer ${bob}` }))).toBe(404);
  expect(await (await get(cluster, "/api/session", { Authorization: `Bearer ${ada}` })).json()).toEqual({
    principal: "login:ada",
    role: "client",
    via: "login",
  });
  expect(provider.fetches()).toBe(1);
});

test("the claim that says the role makes an admin, and no other value does", async () => {
  await using provider = await startIdentityProvider();
  await using cluster = await startWithAna({ identityProviders: [providerOf(provider)] });
  const roleOf = async (groups: unknown) => {
    const token = await provider.sign({ sub: "ada", groups });
    return (
      (await (await get(cluster, "/api/session", { Authorization: `Bearer ${token}` })).json()) as { role: string }
    ).role;
  };

  expect(await roleOf(["staff", "ops"])).toBe("admin");
  expect(await roleOf("staff")).toBe("client");
  expect(await roleOf("constructor")).toBe("client");
});

test("a token that is expired, for others, of a stranger, changed or without a user is 401", async () => {
  await using provider = await startIdentityProvider();
  await using stranger = await startIdentityProvider();
  await using cluster = await startWithAna({ identityProviders: [providerOf(provider)] });
  const good = await provider.sign({ sub: "ada" });
  const [head, , signature] = good.split(".");
  const forged = Buffer.from(JSON.stringify({ iss: ISSUER, aud: AUDIENCE, sub: "root", exp: 9_999_999_999 })).toString(
    "base64url",
  );
  const none = Buffer.from('{"alg":"none"}').toString("base64url");
  const bad = {
    expired: await provider.sign({ sub: "ada" }, { expires: "-2m" }),
    "for others": await provider.sign({ sub: "ada" }, { audience: "somebody" }),
    "signed by a stranger": await stranger.sign({ sub: "ada" }),
    changed: `${head}.${forged}.${signature}`,
    unsigned: `${none}.${forged}.x`,
    "without a user": await provider.sign({}),
    "with a user that is no name": await provider.sign({ sub: "a b" }),
  };

  const answers = await Promise.all(
    Object.entries(bad).map(async ([what, token]) => {
      return [what, await statusOf(get(cluster, "/api/runs", { Authorization: `Bearer ${token}` }))];
    }),
  );

  expect(answers).toEqual(Object.keys(bad).map((what) => [what, 401]));
  expect(await statusOf(get(cluster, "/api/runs", { Authorization: `Bearer ${good}` }))).toBe(200);
});

test("a token within the clock skew is good, and a provider that cannot be reached is a 503 to try again", async () => {
  await using provider = await startIdentityProvider();
  await using cluster = await startWithAna({ identityProviders: [providerOf(provider)] });
  await using cut = await startWithAna({ identityProviders: [providerOf({ jwksUrl: "http://127.0.0.1:9/" })] });
  const late = await provider.sign({ sub: "ada" }, { expires: "-10s" });

  expect(await statusOf(get(cluster, "/api/runs", { Authorization: `Bearer ${late}` }))).toBe(200);
  const refused = await get(cut, "/api/runs", { Authorization: `Bearer ${late}` });
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "2"]);
});

async function signIn(cluster: Cluster, headers: Record<string, string> = {}): Promise<string> {
  const reply = await cluster.client.post("/api/session", "", { ...BEARER, ...headers });
  expect(reply.status).toBe(200);
  return reply.headers.get("set-cookie") ?? "";
}

test("signing in gives a cookie that no script reads, which lets an EventSource in, until it is taken back", async () => {
  await using cluster = await startWithAna();
  await cluster.client.begin("hello", { run_id: "mine" });

  const cookie = await signIn(cluster);
  const [session = ""] = cookie.split(";");

  expect(cookie).toMatch(/^evenkeel_session=k\.ana\.\d+\.[\w-]+; Path=\/; Max-Age=604800; HttpOnly; SameSite=Strict$/);
  expect(cookie).not.toContain(ANA.secret);
  const events = await get(cluster, "/api/runs/mine/events", {
    Cookie: `a=b; ${session}`,
    Accept: "text/event-stream",
  });
  expect([events.status, events.headers.get("content-type")]).toEqual([200, "text/event-stream; charset=utf-8"]);
  await events.body?.cancel();
  const out = await cluster.client.ask("/api/session", { method: "DELETE", headers: { Cookie: session } });
  expect(out.headers.get("set-cookie")).toContain("Max-Age=0");
});

test("a cookie that is not to be remembered ends with the browser", async () => {
  await using cluster = await startWithAna();
  const { headers } = await cluster.client.post(
    "/api/session?remember=false",
    {},
    { Authorization: `Bearer ${ANA.secret}` },
  );
  expect(headers.get("set-cookie")).toMatch(
    /^evenkeel_session=k\.ana\.\d+\.[\w-]+; Path=\/; HttpOnly; SameSite=Strict$/,
  );
});

test("a session that is forged, over, of another key or of none is 401, and the page still opens", async () => {
  await using cluster = await startWithAna();
  const [session = ""] = (await signIn(cluster)).split(";");
  const [, , expires] = session.split(".");
  const forged = [
    session.replace(".ana.", ".root."),
    session.replace(`.${expires}.`, ".9999999999."),
    session.replace(`.${expires}.`, ".1."),
    `${session}x`,
    "evenkeel_session=",
    "evenkeel_session=t.nonsense",
  ];

  for (const Cookie of forged)
    expect([Cookie, await statusOf(get(cluster, "/api/runs", { Cookie }))]).toEqual([Cookie, 401]);
  expect(await statusOf(get(cluster, "/openapi.json", { Cookie: forged[0] ?? "" }))).toBe(200);
});

test("by a session only our own page changes something, over HTTP and the socket", async () => {
  await using cluster = await startWithAna({ allowedOrigins: [APP] });
  const [Cookie = ""] = (await signIn(cluster)).split(";");
  const body = JSON.stringify({ agent_id: "assistant", message: "hello" });
  const post = (headers: Record<string, string>) =>
    fetch(`${cluster.client.url}/api/chat/async`, {
      method: "POST",
      body,
      headers: { Cookie, "Content-Type": "application/json", ...headers },
    });
  const connect = (headers: Record<string, string>) =>
    SocketClient.connect(cluster.client.url, { headers: { Cookie, ...headers } });

  expect(await statusOf(post({}))).toBe(403);
  expect(await statusOf(post({ Origin: "https://evil.example" }))).toBe(403);
  expect(await statusOf(post({ Origin: APP }))).toBe(403);
  expect(await statusOf(post({ Origin: cluster.client.url }))).toBe(202);
  await expect(connect({})).rejects.toThrow("403");
  await expect(connect({ Origin: APP })).rejects.toThrow("403");
  await using socket = await connect({ Origin: cluster.client.url });
  expect(await socket.ask({ op: "subscribe", channel: "activities" })).toMatchObject({ ok: true });
});

test("the cookie is marked Secure when a proxy that we trust was asked by HTTPS", async () => {
  await using cluster = await startWithAna();
  await using distrusting = await startWithAna({ trustedProxies: ["10.0.0.0/8"] });
  const https = { "X-Forwarded-Proto": "https" };

  expect(await signIn(cluster, https)).toContain("; Secure");
  expect(await signIn(distrusting, https)).not.toContain("Secure");
});

test("a page of an allowed origin passes its preflight without a key, calls, and reads the answer", async () => {
  await using cluster = await startWithAna({ allowedOrigins: [APP] });
  const preflight = await cluster.client.ask("/api/chat", {
    method: "OPTIONS",
    headers: {
      Origin: APP,
      Authorization: "",
      "Access-Control-Request-Method": "POST",
      "Access-Control-Request-Headers": "authorization,content-type",
    },
  });

  expect(preflight.status).toBe(204);
  expect(Object.fromEntries(preflight.headers)).toMatchObject({
    "access-control-allow-origin": APP,
    "access-control-allow-methods": expect.stringContaining("POST"),
    "access-control-allow-headers": "authorization,content-type",
    vary: "Origin",
  });
  expect(preflight.headers.get("access-control-allow-credentials")).toBeNull();
  for (const path of ["/api/runs", "/api/activities", "/api/nothing"]) {
    const answer = await get(cluster, path, { ...BEARER, Origin: APP, "Sec-Fetch-Site": "cross-site" });
    expect([path, answer.headers.get("access-control-allow-origin")]).toEqual([path, APP]);
    expect([path, answer.status]).toEqual([path, path === "/api/nothing" ? 404 : 200]);
  }
  const body = { agent_id: "assistant", message: "hello" };
  expect((await cluster.client.post("/api/chat/async", body, { Origin: APP })).status).toBe(202);
});

test("a page of any other origin passes no preflight and reads nothing", async () => {
  await using cluster = await startWithAna({ allowedOrigins: [APP] });
  const headers = { Origin: "https://app.example.evil", "Access-Control-Request-Method": "POST" };

  const preflight = await cluster.client.ask("/api/chat", { method: "OPTIONS", headers });

  expect([...preflight.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
  expect((await cluster.client.post("/api/chat/async", {}, { Origin: headers.Origin })).body.code).toBe(
    "FOREIGN_ORIGIN",
  );
});

test("OPTIONS says without a key what a path serves, and 404 of one that is none", async () => {
  await using cluster = await startWithAna();
  const ask = (path: string) => fetch(`${cluster.client.url}${path}`, { method: "OPTIONS" });

  expect((await ask("/api/threads/x")).headers.get("allow")).toBe("GET, DELETE, HEAD, OPTIONS");
  expect((await ask("/api/chat")).headers.get("allow")).toBe("POST, OPTIONS");
  expect((await ask("/nothing")).status).toBe(404);
});

test("whoever guesses keys waits longer and longer, by its address, and is forgiven after a quiet minute", () => {
  let now = 0;
  const wrongKeys = new WrongKeys(() => now);
  const delays = Array.from({ length: 12 }, () => wrongKeys.delayMs("10.0.0.1"));

  expect(delays).toEqual([0, 0, 0, 0, 0, 250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
  expect(wrongKeys.delayMs("10.0.0.2")).toBe(0);
  now = 61_000;
  expect(wrongKeys.delayMs("10.0.0.1")).toBe(0);
});

test("at most 500 answers to wrong keys wait, and of 10,000 addresses the one that tried last is not forgotten", async () => {
  const wrongKeys = new WrongKeys();
  for (let n = 0; n < 5; n += 1) wrongKeys.delayMs("10.0.0.1");
  const waiting = Array.from({ length: 501 }, () => new PassThrough());
  for (const connection of waiting) wrongKeys.answerLater("10.0.0.1", connection, () => {});
  expect(waiting.map(({ destroyed }) => destroyed)).toEqual(waiting.map((_, index) => index === 500));
  for (const connection of waiting) connection.destroy();

  for (let n = 0; n < 10_000; n += 1) {
    if (n === 5_000) wrongKeys.delayMs("10.0.0.1");
    wrongKeys.delayMs(`address ${n}`);
  }
  expect(wrongKeys.delayMs("10.0.0.1")).toBe(5_000);
  for (let n = 0; n < 10_000; n += 1) wrongKeys.delayMs(`address ${n}`);
  expect(wrongKeys.delayMs("10.0.0.1")).toBe(0);
});

test("clients that leave while their wrong tokens are checked take nobody's place among those that wait", async () => {
  const wrongKeys = new WrongKeys();
  const gone = new PassThrough().destroy();
  await once(gone, "close");
  for (let n = 0; n < 1_000; n += 1) wrongKeys.answerLater("10.0.0.1", gone, () => {});
  for (let n = 0; n < 5; n += 1) wrongKeys.delayMs("10.0.0.2");
  const waiting = new PassThrough();

  const outcome = await new Promise((resolve) => {
    waiting.once("close", () => resolve("cut off"));
    wrongKeys.answerLater("10.0.0.2", waiting, () => resolve("answered"));
  });

  expect(outcome).toBe("answered");
});

test("a good key does not wait behind wrong ones of its address, over HTTP and the socket", async () => {
  await using cluster = await startWithAna();
  const guess = () => get(cluster, "/api/runs", { Authorization: "Bearer wrong-secret" });
  await Promise.all(Array.from({ length: 7 }, guess));
  let answered = 0;

  const slow = Promise.all([
    guess().then(() => (answered += 1)),
    SocketClient.connect(cluster.client.url, { headers: { authorization: "Bearer wrong" } }).catch(
      () => (answered += 1),
    ),
  ]);
  expect(await statusOf(get(cluster, "/api/runs", BEARER))).toBe(200);

  expect(answered).toBe(0);
  await slow;
});

test("one user has so many requests and sockets at once; others and admins are not touched by that", async () => {
  await using cluster = await startCluster({
    settings: { apiKeys: [ANA, { name: "root", secret: "root-secret-1" }] },
    access: defineAccess({ limits: { requests: 2, sockets: 1 } }),
    runner: false,
  });
  await cluster.client.begin("hello", { run_id: "mine" });
  const streams = await Promise.all([cluster.client.follow("mine"), cluster.client.follow("mine")]);
  const third = await cluster.client.get("/api/runs");
  await using socket = await SocketClient.connect(cluster.client.url, { headers: BEARER });

  expect([third.status, third.body.code, third.headers.get("retry-after")]).toEqual([429, "TOO_MANY_REQUESTS", "1"]);
  await expect(SocketClient.connect(cluster.client.url, { headers: BEARER })).rejects.toThrow("429");
  expect(await statusOf(get(cluster, "/api/runs", { Authorization: "Bearer root-secret-1" }))).toBe(200);
  expect(socket.ws.readyState).toBe(1);
  for (const stream of streams) await stream.body?.cancel();
  await vi.waitFor(async () => expect((await cluster.client.get("/api/runs")).status).toBe(200));
});

test("a client that goes while its token is checked leaves nothing behind that counts against its user", async () => {
  const { promise: held, resolve: answerKeys } = Promise.withResolvers<void>();
  await using provider = await startIdentityProvider(held);
  const limits = { requests: 2, sockets: 1 };
  await using cluster = await startWithAna({ identityProviders: [providerOf(provider)], limits });
  const bearer = `Authorization: Bearer ${await provider.sign({ sub: "ada" })}\r\n`;
  const upgrade =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  const ask = (line: string, more = "") => {
    const socket = connect(cluster.port, "127.0.0.1");
    socket.write(`GET ${line} HTTP/1.1\r\nHost: localhost\r\n${bearer}${more}\r\n`);
    return socket;
  };
  const asked = [ask("/ws", upgrade), ask("/ws", upgrade), ask("/api/runs"), ask("/api/runs")];
  await vi.waitFor(() => expect(cluster.server.inFlight).toBe(2));
  for (const socket of asked) socket.resetAndDestroy();
  await vi.waitFor(() => expect(cluster.server.inFlight).toBe(0));

  answerKeys();

  const headers = { Authorization: `Bearer ${await provider.sign({ sub: "ada" })}` };
  expect(await statusOf(get(cluster, "/api/runs", headers))).toBe(200);
  await using socket = await SocketClient.connect(cluster.client.url, { headers });
  expect(socket.ws.readyState).toBe(1);
});

test("one user has so many runs waiting, and others still get in", async () => {
  const bob = { name: "bob", secret: "bob-secret-1", role: "client" } as const;
  await using cluster = await startCluster({
    settings: { apiKeys: [ANA, bob] },
    access: defineAccess({ limits: { queuedRuns: 2 } }),
    runner: false,
  });
  const begin = (secret: string, fields = {}) =>
    cluster.client.post(
      "/api/chat/async",
      { agent_id: "assistant", message: "hi", ...fields },
      { Authorization: `Bearer ${secret}` },
    );
  await begin(ANA.secret, { run_id: "first" });
  await begin(ANA.secret);

  const third = await begin(ANA.secret);
  const repeat = await begin(ANA.secret, { run_id: "first" });

  expect([third.status, third.body.code, third.headers.get("retry-after")]).toEqual([429, "TOO_MANY_REQUESTS", "5"]);
  expect(repeat.status).toBe(202);
  expect((await begin(bob.secret)).status).toBe(202);
  const auth = { Authorization: `Bearer ${ANA.secret}` };
  await cluster.client.post("/api/runs/first/cancel", {}, auth);
  expect((await begin(ANA.secret)).status).toBe(202);
  const retry = await cluster.client.post("/api/runs/first/retry", {}, auth);
  expect([retry.status, retry.body.code]).toEqual([429, "TOO_MANY_REQUESTS"]);
});

test("mistakes in config/access.ts are all named", () => {
  const wrong = { allowedOrigins: ["*"], keys: [{ name: "a b", sha256: "x" }], limits: { request: 1 } };
  const problems = problemsOf(wrong as AccessConfig);

  for (const name of ["allowedOrigins", "keys.0.name", "keys.0.sha256", "limits.request"])
    expect(problems).toContain(name);
});

function problemsOf(config: AccessConfig): string {
  try {
    defineAccess(config);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}
