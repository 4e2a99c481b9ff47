/** A client may reuse the id of a deleted run; no viewer may see one run in place of the other. */
import { expect, test, vi } from "vitest";
import { ownerOf } from "../engine/contract/setup.ts";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { textIn } from "../testing/journal.ts";
import { SocketClient } from "../testing/socket.ts";
import { readAll } from "../testing/sse.ts";

// More than the kernel takes for a client that does not read.
const BIG = "/sim tokens=2 bigline=12000000";
const LIVE = "/sim tokens=3 ttft=100";

test("a run under the id of a deleted one is shown, and not the pages that were just read of the other", async () => {
  await using cluster = await startCluster();
  await cluster.client.chat("/sim tokens=9", { run_id: "mine", thread_id: "t" });
  await readAll(await cluster.client.follow("mine"));
  await cluster.engine.deleteThread("t");

  await cluster.client.chat("/sim tokens=3", { run_id: "mine" });

  const shown = (await readAll(await cluster.client.follow("mine"))).map(({ event }) => event);
  expect(textIn(shown)).toBe("tok1 tok2 tok3");
  expect(shown).toEqual(await cluster.client.events("mine"));
});

test(
  "who waits for it, or watches it live, is not joined to those who still read the other",
  { timeout: 8_000 },
  async () => {
    await using cluster = await startCluster();
    await using _reader = await openPaused(cluster);
    await cluster.engine.deleteThread("t");

    const { body } = await cluster.client.chat(LIVE, { run_id: "mine", thread_id: "t" });
    await cluster.engine.deleteThread("t");
    const watched = await readAll(await cluster.client.stream(LIVE, { run_id: "mine" }));

    expect(body).toMatchObject({ run_id: "mine", status: "completed", reply: "tok1 tok2 tok3" });
    expect(watched.map(({ event }) => event)).toEqual(await cluster.client.events("mine"));
  },
);

test("who still reads the deleted one is told, and not shown the other", async () => {
  await using cluster = await startCluster();
  await using reader = await openPaused(cluster);
  await cluster.engine.deleteThread("t");
  // The second run is longer than the first, so it has events at each position that a reader of the first may
  // have.
  await cluster.client.chat("/sim tokens=60 rate=200", { run_id: "mine" });

  reader.tcp.resume();

  const { error } = await reader.until((frame) => frame.error !== undefined);
  expect(error?.code).toBe("RUN_NOT_FOUND");
  expect(JSON.stringify(reader.frames)).not.toContain("tok60");
});

test("who waits for a run that is deleted in the moment of its end is told", async () => {
  await using cluster = await startCluster({ runner: false });
  const { engine } = cluster;
  const waiting = cluster.client.chat("hello", { run_id: "mine", thread_id: "t" });
  const [claim] = await vi.waitUntil(async () => {
    const claims = await engine.claim({ owner: ownerOf("us"), limit: 1, leaseMs: 60_000 });
    return claims.length > 0 && claims;
  });
  await using reader = await SocketClient.connect(cluster.client.url);
  reader.send({ op: "subscribe", channel: "run", run_id: "mine" });
  await reader.until((frame) => frame.seq === 3);
  if (!claim) throw new Error("no claim");

  const end = engine.settle({ runId: "mine", fence: claim.fence, events: [] }, { status: "completed", reply: "" });
  await Promise.all([end, engine.deleteThread("t")]);

  // The viewer may still read the end of the deleted run, but it must not wait for ever.
  const last = await reader.until((frame) => frame.error !== undefined || frame.done === true);
  expect(["RUN_NOT_FOUND", undefined]).toContain(last.error?.code);
  // The end and the deletion are two commits: a worker that looks between them finds the run completed.
  const { body } = await waiting;
  expect(["RUN_NOT_FOUND", "completed"]).toContain(body.code ?? body.status);
});

/** A finished run "mine" of the thread "t", and a client that has stopped reading in the middle of it. */
async function openPaused({ client, delivery }: Cluster): Promise<SocketClient> {
  await client.chat(BIG, { run_id: "mine", thread_id: "t" });
  const socket = await SocketClient.connect(client.url);
  socket.send({ op: "subscribe", channel: "run", run_id: "mine" });
  socket.tcp.pause();
  await vi.waitUntil(() => [...delivery.meter.outflows].some((outflow) => outflow.full));
  return socket;
}
