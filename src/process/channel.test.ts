import { duplexPair, type Duplex } from "node:stream";
import { expect, test, vi } from "vitest";
import { CHILD_LIMITS, SocketChannel } from "./channel.ts";

/** The primary's end, and the raw stream at the child's. */
function makeChannel() {
  const [near, far] = duplexPair();
  const channel = new SocketChannel(near, { limits: CHILD_LIMITS });
  const messages: unknown[] = [];
  const onClose = vi.fn<(flood: string | undefined) => void>();
  channel.listen({ onMessage: (message) => messages.push(message), onClose });
  return { channel, far, messages, onClose };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

async function write(stream: Duplex, text: string): Promise<void> {
  stream.write(text);
  await settled();
}

test("messages arrive one by one, however the stream cuts them", async () => {
  const { far, messages } = makeChannel();
  const sent = [{ text: "ü\n" }, null, 7, ["x".repeat(1_000)]];
  const bytes = Buffer.from(sent.map((message) => `${JSON.stringify(message)}\n`).join(""));

  for (const byte of bytes) far.write(Buffer.from([byte]));
  await settled();
  await write(far, bytes.toString("utf8"));

  expect(messages).toEqual([...sent, ...sent]);
});

test("a line that is no JSON arrives as undefined, and the next one is read", async () => {
  const { far, messages, onClose } = makeChannel();

  await write(far, `nonsense\n\n${"[".repeat(60_000)}\n{"a":1}\n`);

  expect(messages).toEqual([undefined, undefined, undefined, { a: 1 }]);
  expect(onClose).not.toHaveBeenCalled();
});

test("a message that does not end is given up at 64 KiB", async () => {
  const { far, messages, onClose } = makeChannel();

  for (let written = 0; written <= 64; written += 1) await write(far, "x".repeat(1_024));

  expect(messages).toEqual([]);
  expect(onClose).toHaveBeenCalledExactlyOnceWith("it sent a message of more than 65536 bytes");
});

test("more than a megabyte within a second is given up, in however many messages", async () => {
  const { far, messages, onClose } = makeChannel();
  const line = `${JSON.stringify("x".repeat(2_000))}\n`;

  for (let written = 0; written < 550 && onClose.mock.calls.length === 0; written += 1) await write(far, line);

  expect(onClose).toHaveBeenCalledExactlyOnceWith("it sent more than 1048576 bytes within a second");
  expect(messages.length).toBeLessThan(550);
});

test("more than a thousand messages within a second are given up, however small", async () => {
  const { far, messages, onClose } = makeChannel();

  await write(far, "1\n".repeat(30_000));

  expect(onClose).toHaveBeenCalledExactlyOnceWith("it sent more than 1000 messages within a second");
  expect(messages).toHaveLength(1_000);
});

test("a side that is gone is reported once, and sending to it resolves", async () => {
  const { channel, far, onClose } = makeChannel();

  far.destroy();
  await settled();
  await channel.send({ type: "drain" });
  channel.close();
  await settled();

  expect(onClose).toHaveBeenCalledExactlyOnceWith(undefined);
});

test("what a side that does not read would get is dropped beyond 8 MiB, and nobody waits for it", async () => {
  const { channel, far } = makeChannel();
  const message = "x".repeat(1024 * 1024);

  const sent = Array.from({ length: 64 }, () => channel.send(message));
  await Promise.all(sent.slice(16));

  let read = 0;
  far.on("data", (chunk: Buffer) => (read += chunk.length));
  await Promise.all(sent);
  expect(read).toBeLessThan(16 * 1024 * 1024);
});
