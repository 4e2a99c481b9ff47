/** Streams of other protocols at a drain: their clients get an error, and never half an answer as the whole. */
import { HttpAgent } from "@ag-ui/client";
import { expect, test } from "vitest";
import { begun, chatOn } from "../testing/ai-sdk.ts";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { clientOf } from "../testing/openai.ts";

const LONG = "/sim tokens=6000 rate=60";

async function statusesOf({ engine }: Cluster): Promise<string[]> {
  return (await engine.runs({ limit: 10 })).items.map(({ status }) => status);
}

async function readToEnd(stream: AsyncIterable<unknown>, onEvent: () => void): Promise<void> {
  for await (const _ of stream) onEvent();
}

test("`useChat` fails when its answer is cut, and the run goes on for a page that resumes", async () => {
  await using cluster = await startCluster();
  const chat = chatOn(cluster);
  const sent = chat.sendMessage({ text: LONG }, { body: { on_disconnect: "cancel" } });
  await begun(chat);

  cluster.letGo();

  await sent;
  expect(chat.status).toBe("error");
  expect(await statusesOf(cluster)).toEqual(["running"]);
});

test("AG-UI's client hears that its stream ends too early, and the run goes on", async () => {
  await using cluster = await startCluster();
  const url = `http://127.0.0.1:${cluster.port}/api/agui/assistant?on_disconnect=cancel`;
  const agent = new HttpAgent({ url, threadId: "t" });
  agent.addMessage({ id: "1", role: "user", content: LONG });
  const codes: unknown[] = [];

  await agent.runAgent(
    {},
    {
      onTextMessageContentEvent: () => cluster.letGo(),
      onRunErrorEvent: ({ event }) => void codes.push(event.code),
    },
  );

  expect(codes).toEqual(["SHUTTING_DOWN"]);
  expect(await statusesOf(cluster)).toEqual(["running"]);
});

test("a streamed response fails when it is cut, and the run goes on for a client that asks for it again", async () => {
  await using cluster = await startCluster();
  const stream = await clientOf(cluster).responses.create({ model: "assistant", stream: true, input: LONG });

  await expect(readToEnd(stream, () => cluster.letGo())).rejects.toThrow("terminated");

  expect(await statusesOf(cluster)).toEqual(["running"]);
});

test("a streamed chat completion fails when it is cut, and is canceled, as nobody can ask for it again", async () => {
  await using cluster = await startCluster();
  const messages = [{ role: "user" as const, content: LONG }];
  const stream = await clientOf(cluster).chat.completions.create({ model: "assistant", stream: true, messages });

  await expect(readToEnd(stream, () => cluster.letGo())).rejects.toThrow("terminated");

  await expect.poll(() => statusesOf(cluster), { timeout: 10_000 }).toEqual(["canceled"]);
});

test("a stream that begins while the worker drains is no empty answer", async () => {
  await using cluster = await startCluster({ runner: false });
  cluster.letGo();
  const chat = chatOn(cluster);

  await chat.sendMessage({ text: LONG });

  expect(chat.status).toBe("error");
  expect(await statusesOf(cluster)).toEqual(["queued"]);
});
