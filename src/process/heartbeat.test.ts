import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTick } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { CHILD_LIMITS, SocketChannel } from "./channel.ts";
import { heartbeatOf } from "./heartbeat.ts";

/** A pair of sockets of the kind that a primary and its child have. */
async function openPair() {
  const folder = await mkdtemp(join(tmpdir(), "evenkeel-pair-"));
  const server = createServer().listen(join(folder, "socket"));
  await once(server, "listening");
  const accepted = once(server, "connection");
  const far = connect(join(folder, "socket"));
  const [near] = (await accepted) as [Socket];
  const dispose = async () => {
    for (const end of [near, far]) end.destroy();
    server.close();
    await rm(folder, { recursive: true });
  };
  return { near, far, [Symbol.asyncDispose]: dispose };
}

test("a primary that stood still for minutes finds no flood, and then hears the newest of its child", async () => {
  await using pair = await openPair();
  // As many as a worker with hundreds of keys has: a heartbeat of about 8 KB.
  const names = Array.from({ length: 250 }, (_, key) => `requests:some-api-key-name-${key}`);
  let count = 0;
  const service = {
    inFlight: () => count,
    gauges: () => Object.fromEntries(names.map((name) => [name, count])),
    notes: () => ({ mcp: String(count) }),
  };
  const beat = heartbeatOf(service, new SocketChannel(pair.far));
  for (count = 1; count <= 300; count += 1) {
    void beat();
    await nextTick();
  }

  const heard: string[] = [];
  const onClose = vi.fn<(flood: string | undefined) => void>();
  const primary = new SocketChannel(pair.near, { limits: CHILD_LIMITS });
  primary.listen({ onMessage: (message) => heard.push(JSON.stringify(message)), onClose });

  await vi.waitFor(() => {
    void beat();
    expect(heard.at(-1)).toBe(JSON.stringify({ type: "notes", notes: { mcp: String(count) } }));
  });
  expect(onClose).not.toHaveBeenCalled();
});
