import { expect, test } from "vitest";
import { claimNext, complete, delta, stepOf } from "../engine/contract/setup.ts";
import { PageQueue } from "../stream/page-queue.ts";
import { startCluster } from "../testing/cluster.ts";
import { EventPieces, MessagePieces, type Pieces } from "./history-pieces.ts";

const WORD_CHARACTERS = 10_000;
const WORDS = 60;
/** A piece has about 64 KB. */
const PIECES = 8;

/** A thread of one message and WORDS answers, about 600 KB, whose run has as many events. */
async function startLong() {
  const cluster = await startCluster({ runner: false });
  await cluster.client.begin("0", { thread_id: "t", run_id: "r" });
  const claim = await claimNext(cluster.engine);
  const say = (n: number) =>
    cluster.engine.append(
      stepOf(claim, {
        messages: [{ role: "assistant", content: String(n).padEnd(WORD_CHARACTERS, ".") }],
        events: [delta(String(n).padEnd(WORD_CHARACTERS, "."))],
      }),
    );
  for (let n = 1; n <= WORDS; n += 1) await say(n);
  const { engine } = cluster;
  const messages = (limit: number, before?: number) =>
    new MessagePieces({ engine, pieceQueue: new PageQueue() }, { threadId: "t", limit, before });
  return { cluster, claim, say, messages };
}

const rowsIn = (piece: string) => JSON.parse(`[${piece}]`) as { content: string; seq: number }[];
const numbersIn = (piece: string) => rowsIn(piece).map(({ content }) => parseInt(content));
const upTo = (last: number, first = 0) => Array.from({ length: last - first + 1 }, (_, at) => first + at);

async function all(pieces: Pieces): Promise<string[]> {
  const read: string[] = [];
  while (pieces.more) read.push(await pieces.read());
  return read;
}

test("the pieces of a page are its messages, in order", async () => {
  const { cluster, messages } = await startLong();
  await using _ = cluster;
  const pieces = messages(500);

  const read = await all(pieces);

  expect(read.flatMap(numbersIn)).toEqual(upTo(WORDS));
  expect(pieces.next).toBe(null);
  expect(read.length).toBeGreaterThanOrEqual(PIECES);
});

test("a page ends at its limit, also in the middle of a piece, and the next one goes on from there", async () => {
  const { cluster, messages } = await startLong();
  await using _ = cluster;
  const newest = messages(20);
  const first = await all(newest);
  const second = await all(messages(500, newest.next ?? undefined));

  expect(first.flatMap(numbersIn)).toEqual(upTo(WORDS, WORDS - 19));
  expect(second.flatMap(numbersIn)).toEqual(upTo(WORDS - 20));
});

test("messages that are appended while a page is read are not part of it", async () => {
  const { cluster, messages, say } = await startLong();
  await using _ = cluster;
  const pieces = messages(500);
  const first = await pieces.read();
  await say(WORDS + 1);

  expect([first, ...(await all(pieces))].flatMap(numbersIn)).toEqual(upTo(WORDS));
});

test("a page whose thread is deleted meanwhile is not told as whole", async () => {
  const { cluster, claim, messages } = await startLong();
  await using _ = cluster;
  const pieces = messages(500);
  await pieces.read();
  await complete(cluster.engine, claim);
  await cluster.engine.deleteThread("t");

  await expect(all(pieces)).rejects.toMatchObject({ code: "THREAD_NOT_FOUND" });
});

test("the pieces of a page of events are its events, in order, up to the newest", async () => {
  const { cluster } = await startLong();
  await using _ = cluster;
  const { engine } = cluster;
  const newest = await engine.lastEvent("r");
  const asked = { runId: "r", after: 0, limit: 500, newest, basePath: "" };
  const pieces = new EventPieces({ engine, pieceQueue: new PageQueue() }, asked);

  const read = await all(pieces);

  expect(read.flatMap(rowsIn).map(({ seq }) => seq)).toEqual(upTo(newest, 1));
  expect(pieces.next).toBe(null);
  expect(read.length).toBeGreaterThanOrEqual(PIECES);
});
