import { request, type IncomingMessage } from "node:http";
import { once } from "node:events";
import { expect, test } from "vitest";
import { defineAccess } from "../core/access.ts";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { Guard } from "./guard.ts";

const ANA = { name: "ana", secret: "ana-secret-1" };
const BOB = { name: "bob", secret: "bob-secret-2" };

interface Sent {
  readonly peer?: string;
  readonly url?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
}

function requestOf({ peer = "127.0.0.1", url = "/api/runs", method = "GET", headers = {} }: Sent): IncomingMessage {
  const all = { host: "localhost:8000", ...headers };
  return { socket: { remoteAddress: peer }, url, method, headers: all } as unknown as IncomingMessage;
}

test.each(["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])(
  "without keys a loopback peer (%s) is served",
  (peer) => {
    expect(new Guard([]).admit(requestOf({ peer }))).toMatchObject({ id: "local" });
  },
);

test.each(["10.0.0.5", "192.168.1.20", "::ffff:10.0.0.5", "fe80::1", "1.127.0.0", ""])(
  "without keys any other peer (%s) is refused with the remedy, /health too",
  (peer) => {
    for (const url of ["/api/runs", "/health"]) {
      expect(() => new Guard([]).admit(requestOf({ peer, url }))).toThrow(
        expect.objectContaining({ code: "PROTECTED_MODE", message: expect.stringContaining("API_KEYS=name:secret") }),
      );
    }
  },
);

const PROXIED: [string, string][] = [
  ["x-forwarded-for", "8.8.8.8"],
  ["x-forwarded-for", "127.0.0.1"],
  ["x-forwarded-for", ""],
  ["forwarded", "for=8.8.8.8"],
  ["x-real-ip", "8.8.8.8"],
  ["via", "1.1 caddy"],
  ["x-forwarded-host", "evenkeel.example"],
  ["x-forwarded-proto", "https"],
  ["x-forwarded-server", "proxy"],
  ["cf-connecting-ip", "8.8.8.8"],
  ["cf-ray", "1"],
  ["cdn-loop", "cloudflare"],
  ["true-client-ip", "8.8.8.8"],
  ["fly-client-ip", "8.8.8.8"],
  ["tailscale-user-login", "ana@example.org"],
  ["x-amzn-trace-id", "Root=1"],
  ["x-cloud-trace-context", "1"],
  ["x-envoy-external-address", "8.8.8.8"],
  ["x-vercel-id", "1"],
  ["ngrok-trace-id", "1"],
];
test.each(PROXIED)(
  "without keys a local proxy's requests (%s: %j) are refused with the remedy, /health and /ws too",
  (name, value) => {
    const headers = { [name]: value };
    const refusal = expect.objectContaining({
      code: "PROTECTED_MODE",
      message: expect.stringMatching(new RegExp(`\`${name}\`.*API_KEYS=name:secret`)),
    });

    for (const url of ["/api/runs", "/api/activities", "/health"])
      expect(() => new Guard([]).admit(requestOf({ url, headers }))).toThrow(refusal);
    expect(() => new Guard([]).admitSocket(requestOf({ url: "/ws", headers }))).toThrow(refusal);
  },
);

test("with keys a proxy may pass requests on", () => {
  const headers = { "x-forwarded-for": "8.8.8.8", authorization: `Bearer ${ANA.secret}` };

  expect(new Guard([ANA]).admit(requestOf({ headers }))).toMatchObject({ id: "ana" });
  expect(new Guard([ANA]).admitSocket(requestOf({ url: "/ws", headers }))).toMatchObject({ id: "ana" });
});

test.each(["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "app.localhost:8000", "LOCALHOST"])(
  "without keys the loopback Host %s is served",
  (host) => {
    expect(new Guard([]).admit(requestOf({ headers: { host } }))).toMatchObject({ id: "local" });
  },
);

test.each(["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:127", "", "localhost:x"])(
  "without keys the foreign Host %j is refused, so that no page gets in by DNS rebinding",
  (host) => {
    expect(() => new Guard([]).admit(requestOf({ headers: { host } }))).toThrow(
      expect.objectContaining({ code: "FOREIGN_HOST" }),
    );
  },
);

test.each(["http://evil.example", "null", "http://localhost:9000", "https://localhost.evil.example:8000", "nonsense"])(
  "a page of another origin (%s) may not change anything",
  (origin) => {
    for (const method of ["POST", "DELETE", "PUT"]) {
      expect(() => new Guard([]).admit(requestOf({ method, headers: { origin } }))).toThrow(
        expect.objectContaining({ code: "FOREIGN_ORIGIN" }),
      );
    }
    expect(new Guard([]).admit(requestOf({ method: "GET", headers: { origin } }))).toMatchObject({ id: "local" });
  },
);

test.each([
  ["cross-site", "https://app.example", "ana"],
  ["cross-site", "https://app.example.evil", "FOREIGN_ORIGIN"],
  ["cross-site", undefined, "FOREIGN_ORIGIN"],
  ["same-site", undefined, "ana"],
  ["same-origin", undefined, "ana"],
  [undefined, "https://app.example.evil", "ana"],
])("a read that a browser sends as %s from a page of %s is answered: %s", (site, origin, expected) => {
  const guard = new Guard([ANA], defineAccess({ allowedOrigins: ["https://app.example"] }));
  const authorization = `Bearer ${ANA.secret}`;
  const headers = { authorization, ...(site && { "sec-fetch-site": site }), ...(origin && { origin }) };

  const answerTo = (method: string) => {
    try {
      return (guard.admit(requestOf({ method, headers })) as { id: string }).id;
    } catch (error) {
      return (error as { code: string }).code;
    }
  };

  expect(["GET", "HEAD"].map(answerTo)).toEqual([expected, expected]);
});

test("without keys a page over HTTPS is none of ours: nothing between us and the browser speaks it", () => {
  const headers = { origin: "https://localhost:8000" };

  expect(() => new Guard([]).admit(requestOf({ method: "POST", headers }))).toThrow(
    expect.objectContaining({ code: "FOREIGN_ORIGIN" }),
  );
});

test.each([
  ["https://evenkeel.example", "https", true],
  ["http://evenkeel.example", "https", false],
  ["http://evenkeel.example", "http", true],
  ["https://evenkeel.example", "http", false],
  ["https://evenkeel.example", "https, http", true],
  ["https://evenkeel.example", undefined, true],
  ["http://evenkeel.example", undefined, true],
])("behind a proxy that was asked by %s and says %s the page may post: %s", (origin, proto, isOurs) => {
  const authorization = `Bearer ${ANA.secret}`;
  const headers = { host: "evenkeel.example", authorization, origin, ...(proto && { "x-forwarded-proto": proto }) };
  const admitted = () => {
    try {
      return new Guard([ANA]).admit(requestOf({ method: "POST", headers }));
    } catch (error) {
      return (error as { code: string }).code;
    }
  };

  expect(admitted()).toEqual(isOurs ? { id: "ana", role: "admin", via: "ana" } : "FOREIGN_ORIGIN");
});

test("our own page may post", () => {
  const headers = { origin: "http://localhost:8000" };

  expect(new Guard([]).admit(requestOf({ method: "POST", headers }))).toMatchObject({ id: "local" });
});

test("with keys each peer is known by its key's name, from anywhere, under any Host", () => {
  const guard = new Guard([ANA, BOB]);
  const ask = (secret: string) =>
    guard.admit(
      requestOf({ peer: "10.0.0.5", headers: { host: "evenkeel.example", authorization: `Bearer ${secret}` } }),
    );

  expect(ask(ANA.secret)).toMatchObject({ id: "ana" });
  expect(ask(BOB.secret)).toMatchObject({ id: "bob" });
});

test.each([
  undefined,
  "",
  "Bearer",
  "Bearer ",
  "Bearer wrong",
  "Basic YW5hOmFuYS1zZWNyZXQtMQ==",
  `Bearer ${ANA.secret} `,
  ANA.secret,
])("with keys the Authorization %j is refused, from this machine too", (authorization) => {
  const headers = authorization === undefined ? {} : { authorization };

  expect(() => new Guard([ANA]).admit(requestOf({ headers }))).toThrow(
    expect.objectContaining({ code: "UNAUTHORIZED" }),
  );
});

test.each(["/", "/?x=1", "/assets/main-AbC1_-.js", "/icon.svg", "/theme.js"])(
  "with keys the files of the dashboard (%s) may be read without one, and nothing may be posted there",
  (url) => {
    const guard = new Guard([ANA]);

    expect(guard.admit(requestOf({ peer: "10.0.0.5", url }))).toMatchObject({ id: "anonymous" });
    expect(() => guard.admit(requestOf({ url, method: "POST" }))).toThrow(
      expect.objectContaining({ code: "UNAUTHORIZED" }),
    );
  },
);

test.each(["/assets/", "/assets/../api/runs", "/assets/a/b", "/icon.svg/x", "//", "/api/runs?/assets/x.js", "/ws"])(
  "with keys %s is no file of the dashboard",
  (url) => {
    expect(() => new Guard([ANA]).admit(requestOf({ url }))).toThrow(expect.objectContaining({ code: "UNAUTHORIZED" }));
  },
);

test("with keys /health needs none, and what needs one says so", async () => {
  await using cluster = await startCluster({ settings: { apiKeys: [ANA] }, runner: false });

  expect((await fetch(`${cluster.client.url}/health`)).status).toBe(200);
  const refused = await cluster.client.get("/api/runs", { Authorization: "Bearer wrong" });
  expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
});

test("one Idempotency-Key of two principals makes two runs", async () => {
  await using cluster = await startCluster({ settings: { apiKeys: [ANA, BOB] } });
  const chat = (secret: string) =>
    cluster.client.chat("hello", {}, { "Idempotency-Key": "1", Authorization: `Bearer ${secret}` });

  const [ana, bob] = [await chat(ANA.secret), await chat(BOB.secret)];

  expect(ana.body.run_id).not.toBe(bob.body.run_id);
});

test("a foreign Host and a foreign Origin are 403 over real HTTP, before any run is made", async () => {
  await using cluster = await startCluster();

  expect(await statusOf(cluster, { Host: "evil.example" })).toBe(403);
  expect(await statusOf(cluster, { Origin: "http://evil.example" })).toBe(403);
  expect((await cluster.client.get("/api/runs")).body["runs"]).toEqual([]);
});

test("what a proxy passes on is 403 over real HTTP, the fast lane included", async () => {
  await using cluster = await startCluster();

  for (const path of ["/health", "/api/activities", "/api/runs", "/"]) {
    const { status, body } = await cluster.client.get(path, { "X-Forwarded-For": "8.8.8.8" });
    expect([path, status, body.code]).toEqual([path, 403, "PROTECTED_MODE"]);
  }
});

test("no route allows other origins to read its answers", async () => {
  await using cluster = await startCluster();

  for (const path of ["/health", "/api/activities", "/api/runs"]) {
    const { headers } = await cluster.client.get(path, { Origin: "http://evil.example" });
    expect(headers.get("access-control-allow-origin")).toBeNull();
  }
});

/** A POST with headers that fetch does not let us set. */
async function statusOf({ port }: Cluster, headers: Record<string, string>): Promise<number | undefined> {
  const post = request({ port, host: "127.0.0.1", path: "/api/chat", method: "POST", headers });
  post.end(JSON.stringify({ agent_id: "assistant", message: "hello" }));
  const [response] = (await once(post, "response")) as [IncomingMessage];
  response.resume();
  return response.statusCode;
}
