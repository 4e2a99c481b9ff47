import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { Frame } from "./frame.ts";

const HEAD = '{"id":"a",';
const AROUND_JSON = `${HEAD}"seq":7,"event":}`.length;

const frame = (json: string) => new Frame({ seq: 7, at: 0, last: false, json });

// Lengths at which the length field of RFC 6455 § 5.2 changes its size.
test.each([125, 126, 127, 65_535, 65_536, 200_000])(
  "a text message of %i bytes is read as it was meant",
  async (bytes) => {
    const twoBytes = "ü".repeat(20);
    const json = JSON.stringify(twoBytes + "x".repeat(bytes - AROUND_JSON - 2 - 2 * twoBytes.length));

    const message = await readByClient(frame(json).textMessage(HEAD));

    expect(message).toHaveLength(bytes);
    expect(message.toString()).toBe(`${HEAD}"seq":7,"event":${json}}`);
  },
);

test("a frame is put into bytes once for all event streams, and once for all sockets that name it the same", () => {
  const one = frame("{}");

  expect(one.serverSentEvent.toString()).toBe("id: 7\ndata: {}\n\n");
  expect(one.serverSentEvent).toBe(one.serverSentEvent);
  expect(one.textMessage(HEAD)).toBe(one.textMessage(HEAD));
});

test("sockets that name a subscription otherwise get their own name", () => {
  const one = frame("{}");

  const messages = ['{"id":"a",', '{"id":"b",', '{"id":"a",'].map((head) =>
    one.textMessage(head).subarray(2).toString(),
  );

  expect(messages.map((message) => (JSON.parse(message) as { id: string }).id)).toEqual(["a", "b", "a"]);
});

test("a frame that is kept keeps no memory but its own", () => {
  const one = frame('{"type":"RUN_STARTED"}');

  for (const bytes of [one.serverSentEvent, one.textMessage('{"id":"a",')])
    expect(bytes.buffer.byteLength).toBe(bytes.length);
});

/** The text that a `ws` client reads from these bytes when they stand between two messages that `ws` itself sends. */
async function readByClient(bytes: Buffer): Promise<Buffer> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  server.on("connection", (ws, request) => {
    ws.send("before");
    request.socket.write(bytes);
    ws.send("after");
  });
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const messages: Buffer[] = [];
  client.on("message", (data: Buffer) => {
    messages.push(data);
    if (data.toString() === "after") client.close();
  });
  await once(client, "close");
  server.close();
  expect(messages.map(String)).toEqual(["before", messages[1]?.toString(), "after"]);
  return messages[1] ?? Buffer.alloc(0);
}
