/** How long our client waits for a server, and when it asks again. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { startCluster } from "../testing/cluster.ts";
import { ConnectionError, Evenkeel } from "./client.ts";

test("a server that says to try again at once is asked with growing pauses all the same", async () => {
  let asked = 0;
  const fetch = async () => {
    asked += 1;
    return new Response("busy", { status: 503, headers: { "retry-after": "0" } });
  };

  await expect(new Evenkeel({ fetch, giveUpAfterMs: 1_500 }).runs()).rejects.toBeInstanceOf(ConnectionError);

  expect(asked).toBeGreaterThan(1);
  expect(asked).toBeLessThan(20);
});

test("a request that is never answered is sent again, and given up in the end", async () => {
  await using mute = await startMute();
  const client = new Evenkeel({ baseUrl: mute.url, silentAfterMs: 200, giveUpAfterMs: 500 });

  await expect(client.run("x")).rejects.toBeInstanceOf(ConnectionError);
  expect(mute.asked()).toBeGreaterThan(1);

  const before = mute.asked();
  await expect(client.notify({ role: "operator", content: "done" })).rejects.toBeInstanceOf(ConnectionError);
  expect(mute.asked()).toBe(before + 1);
});

test("an upload may take as long as a slow line needs for its bytes", async () => {
  await using cluster = await startCluster();
  let asked = 0;
  const slowFetch: typeof fetch = async (input, init) => {
    asked += 1;
    await delay(1_000, undefined, init?.signal ? { signal: init.signal } : {});
    return fetch(input, init);
  };
  const client = new Evenkeel({
    baseUrl: `http://127.0.0.1:${cluster.port}`,
    fetch: slowFetch,
    silentAfterMs: 500,
    giveUpAfterMs: 0,
  });

  await expect(client.files()).rejects.toBeInstanceOf(ConnectionError);
  await client.upload(new Blob(["a long text ".repeat(40_000)]));

  expect(asked).toBe(2);
});

test("an answer that has begun may take longer than the time in which it must begin", async () => {
  await using cluster = await startCluster();
  const client = new Evenkeel({ baseUrl: `http://127.0.0.1:${cluster.port}`, silentAfterMs: 1_000 });
  const chat = { agent_id: "assistant", message: "/sim tokens=30 rate=15" };

  const events = await Array.fromAsync(client.stream(chat));

  expect(events.at(-1)?.type).toBe("RUN_FINISHED");
});

/** A server that takes requests and never answers. */
async function startMute() {
  let asked = 0;
  const server = createServer(() => (asked += 1)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked: () => asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
