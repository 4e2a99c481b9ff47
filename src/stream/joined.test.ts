/** Readers of a run whose deltas were joined, from the beginning and from the middle of a message. */
import { expect, test } from "vitest";
import { complete, delta, start, stepOf } from "../engine/contract/setup.ts";
import { startCluster } from "../testing/cluster.ts";
import { SocketClient } from "../testing/socket.ts";

const PIECES = ["a rather ", "long ", "answer", " in pieces"];
/** Position of the first piece, which comes after the run's own first events. */
const FIRST_SEQ = 4;

test.each([0, FIRST_SEQ - 1, FIRST_SEQ, FIRST_SEQ + 2, FIRST_SEQ + 3])(
  "who resumes behind %i gets the rest of the text and no word of a gap, over a stream and a socket",
  async (after) => {
    await using cluster = await startCluster({ runner: false });
    const claim = await start(cluster.engine);
    await cluster.engine.append(stepOf(claim, { events: PIECES.map((piece) => delta(piece)) }));
    await complete(cluster.engine, claim);
    while (await cluster.engine.retain({ deltasMs: -1_000 })) continue;
    const runId = claim.run.run_id;

    const stream = await (await cluster.client.follow(runId, { "Last-Event-ID": String(after) })).text();
    await using socket = await SocketClient.connect(cluster.client.url);
    const frames = await socket.readRun(runId, after);

    const streamed = stream
      .trimEnd()
      .split("\n\n")
      .map((block) => JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? "{}") as Told);
    const rest = PIECES.slice(Math.max(0, after + 1 - FIRST_SEQ)).join("");
    for (const told of [streamed, frames.map(({ event }) => event as unknown as Told)]) {
      expect(told.map((event) => event.delta ?? "").join("")).toBe(rest);
      expect(told.map(({ name }) => name)).not.toContain("evenkeel.gap");
      expect(told.at(-1)?.type).toBe("RUN_FINISHED");
    }
  },
);

interface Told {
  readonly type: string;
  readonly name?: string;
  readonly delta?: string;
}
