/** What GET /sim/stats says: tests of the agent rely on it to prove what reached the model and when it closed. */
import { once } from "node:events";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { openFixture } from "./fixture.ts";
import { Ledger } from "./ledger.ts";

test("GET /sim/stats says what stats() says", async () => {
  await using sim = await openFixture();
  await (await sim.post()).text();
  await sim.lastClosed();
  const response = await fetch(`${sim.simulator.url}/sim/stats`);
  expect(await response.json()).toEqual(sim.simulator.stats());
  expect(sim.simulator.stats()).toMatchObject({
    requests: 1,
    active: 0,
    max_concurrent: 1,
    aborted: 0,
    statuses: { 200: 1 },
    recent: [{ model: "test-model", status: 200, ended: "complete" }],
  });
});

test("a record's id is the request-id that the client got", async () => {
  await using sim = await openFixture();
  const response = await sim.post();
  expect(sim.simulator.stats().recent[0]?.id).toBe(response.headers.get("request-id"));
  await response.text();
});

test("a client that closes before the end is counted as aborted, with the time of its close", async () => {
  await using sim = await openFixture();
  const messages = [{ role: "user" as const, content: "/sim tokens=100 rate=1" }];
  const stream = sim.client.messages.stream({ model: "m", max_tokens: 100, messages });
  const ended = stream.done().catch((error: unknown) => error);
  await stream.emitted("streamEvent");
  const abortedAt = Date.now();
  stream.abort();
  expect(await ended).toMatchObject({ message: "Request was aborted." });
  const record = await sim.lastClosed();
  expect(record).toMatchObject({ status: 200, ended: "aborted" });
  expect(Number(record.closed_at) - abortedAt).toBeLessThan(1_000);
  expect(sim.simulator.stats()).toMatchObject({ active: 0, aborted: 1 });
});

test("a client that closes while it waits for the first token is counted as aborted", async () => {
  await using sim = await openFixture();
  using stream = sim.dial("/sim ttft=600000");
  await stream.until("ping");
  stream.socket.destroy();
  expect(await sim.lastClosed()).toMatchObject({ ended: "aborted" });
});

test("a client that closes in the middle of its body is counted as aborted, without a status", async () => {
  await using sim = await openFixture();
  const socket = connect(sim.simulator.port, "127.0.0.1");
  socket.write("POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: any\r\ncontent-length: 9\r\n\r\nhalf", () =>
    socket.destroy(),
  );
  expect(await sim.lastClosed()).toMatchObject({ status: null, ended: "aborted" });
  expect(sim.simulator.stats()).toMatchObject({ requests: 1, active: 0, aborted: 1, statuses: {} });
});

test("a client that does not read holds the stream back, and gets all of it once it reads", async () => {
  await using sim = await openFixture();
  using stream = sim.dial("/sim tokens=300000");
  stream.socket.pause();
  await once(stream.socket, "connect");
  // When this answer is here, the unread stream has had turns of the event loop and has written all that it could.
  await sim.events("/sim tokens=2000");
  expect(sim.simulator.stats().events).toBeLessThan(250_000);
  stream.socket.resume();
  await stream.closed();
  expect(stream.received).toContain("tok300000");
  expect(stream.received).toContain("message_stop");
});

test("stopping closes open streams at once", async () => {
  await using sim = await openFixture();
  using stream = sim.dial("/sim tokens=5 stall");
  await stream.until("tok1");
  const closed = stream.closed();
  await sim.simulator.stop();
  await closed;
  expect(sim.simulator.stats()).toMatchObject({ active: 0, aborted: 1 });
});

test("the log keeps the last thousand requests while the counters go on", () => {
  const ledger = new Ledger();
  for (let index = 0; index < 1_500; index++) ledger.open(`req_${index}`);
  const { requests, recent } = ledger.stats();
  expect(requests).toBe(1_500);
  expect(recent).toHaveLength(1_000);
  expect(recent[0]?.id).toBe("req_500");
});
