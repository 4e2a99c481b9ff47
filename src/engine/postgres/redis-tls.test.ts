/** TLS to a real Redis with a certificate of an authority of our own, for the host "localhost". */
import { readFile } from "node:fs/promises";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { makeCertificates } from "../../testing/certificates.ts";
import { needs } from "../../testing/program.ts";
import { TestRedis } from "../../testing/redis.ts";
import { RedisBus } from "./redis.ts";

const CHANNEL = "evenkeel_test";
/** Longer than a connection takes, or its refusal. */
const CONNECT_MS = 4_000;

describe("the Redis bus with rediss://", needs("redis-server", "openssl"), () => {
  const stack = new AsyncDisposableStack();
  const known = getCACertificates("default");
  let redis: TestRedis;
  let authority: string;

  beforeAll(async () => {
    const tls = stack.use(await makeCertificates());
    authority = await readFile(tls.authority, "utf8");
    redis = stack.use(await TestRedis.start({ tls }));
  });
  afterAll(() => stack.disposeAsync());

  test("carries news over TLS when the authority is trusted", async () => {
    using _trust = trust([...known, authority]);
    await using sender = openBus(redis.url);
    await using listener = openBus(redis.url);
    await vi.waitUntil(() => listener.isConnected && sender.isConnected, { timeout: CONNECT_MS, interval: 10 });
    await listener.listen(CHANNEL);

    sender.publish([{ channel: CHANNEL, payload: "hello" }]);

    await vi.waitFor(() => expect(listener.heard).toEqual(["hello"]), { timeout: CONNECT_MS });
  });

  test("refuses a certificate of an unknown authority, and says so", async () => {
    await using bus = openBus(redis.url);
    expect(await troubleOf(bus)).toContain("unable to verify the first certificate");
  });

  test("refuses the certificate of another host, and says so", async () => {
    using _trust = trust([...known, authority]);
    await using bus = openBus(redis.url.replace("localhost", "127.0.0.1"));
    expect(await troubleOf(bus)).toContain("does not match certificate's altnames");
  });

  test("does not fall back to a connection without TLS", async () => {
    await using plain = await TestRedis.start();
    await using bus = openBus(plain.url.replace("redis:", "rediss:"));
    expect(await troubleOf(bus)).toContain("does not carry the news");
    expect(bus.isConnected).toBe(false);
  });

  function trust(certificates: readonly string[]): Disposable {
    setDefaultCACertificates(certificates);
    return { [Symbol.dispose]: () => setDefaultCACertificates(known) };
  }
});

function openBus(url: string) {
  const heard: string[] = [];
  const bus = new RedisBus({ url, space: "1", onMessage: ({ payload }) => void heard.push(payload), onLoss: () => {} });
  return Object.assign(bus, { heard, [Symbol.asyncDispose]: () => bus.close() });
}

async function troubleOf(bus: RedisBus): Promise<string> {
  return vi.waitUntil(() => bus.notice(), { timeout: CONNECT_MS, interval: 10 });
}
