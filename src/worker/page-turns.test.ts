/** Large pages of a list share the event loop with other requests. */
import { once } from "node:events";
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import type { Engine } from "../engine/engine.ts";
import { startCluster } from "../testing/cluster.ts";

const REQUESTS = 20;

test.each(["/api/threads/t", "/api/runs/r/events"])("one page of GET %s is read per tick of the loop", async (path) => {
  const ticks: number[] = [];
  let tick = 0;
  const count = () => {
    tick += 1;
    if (ticks.length < REQUESTS) setImmediate(count);
  };
  const wrapEngine = (engine: Engine): Engine =>
    new Proxy(engine, {
      get: (target, name) => {
        if (name === "messages" || name === "events") ticks.push(tick);
        const value = Reflect.get(target, name, target) as unknown;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  await using cluster = await startCluster({ runner: false, wrapEngine });
  await cluster.client.begin("hello", { thread_id: "t", run_id: "r" });

  // Requests that come in one packet are begun in one tick.
  const socket = connect(cluster.port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  count();
  socket.resume().write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(REQUESTS));
  await expect.poll(() => ticks.length, { timeout: 10_000 }).toBe(REQUESTS);

  expect(new Set(ticks).size).toBe(REQUESTS);
});
