/** A connection that breaks before a write is answered: the write was committed, and its sender cannot know that. */
import { expect, test } from "vitest";
import { Link } from "../../testing/link.ts";
import type { Message } from "../../core/message.ts";
import type { ToolCall } from "../engine.ts";
import { claimNext, delta, enqueue, journalOf, stepOf, threadOf } from "../contract/setup.ts";
import { databases, openAt } from "./test-data.ts";

const { postgres } = databases();

const TRIALS = 8;
const USAGE = { input_tokens: 0, output_tokens: 0, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 };

test("steps whose answers are lost are stored once each, in order, and paid once", async () => {
  await using line = await openLine();
  const { engine, link, direct } = line;
  await enqueue(engine, { runId: "run" });
  const claim = await claimNext(engine);
  const append = (text: string, more: object = {}) => engine.append(stepOf(claim, { events: [delta(text)], ...more }));

  for (let trial = 1; trial <= TRIALS; trial += 1) {
    // This append makes a connection, or finds the one that exists.
    await append(`${trial} whole`);
    link.loseAnswerTo("");
    await append(`${trial} lost`);
    link.loseAnswerTo("COMMIT");
    const usage = { ...USAGE, input_tokens: trial };
    await append(`${trial} paid`, { usage, bill: { model: "m", price: undefined } });
  }

  const said = (await journalOf(direct, "run")).filter(({ type }) => type === "TEXT_MESSAGE_CONTENT");
  const expected = Array.from({ length: TRIALS }, (_, index) =>
    ["whole", "lost", "paid"].map((what) => `${index + 1} ${what}`),
  );
  expect(said.map((event) => event["delta"])).toEqual(expected.flat());
  const [spent] = await direct.spending({ by: "model", since: "2000-01-01" });
  expect(spent).toMatchObject({ calls: TRIALS, usage: { input_tokens: TRIALS } });
});

test("a step without events whose answer is lost is stored once, its messages and its calls too", async () => {
  await using line = await openLine();
  const { engine, link, direct } = line;
  await enqueue(engine, { runId: "run", threadId: "thread" });
  const claim = await claimNext(engine);
  const bill = { model: "m", price: undefined };

  for (let trial = 1; trial <= 3; trial += 1) {
    // The connections of the last trial are gone. This makes the one on which the answer is lost.
    await engine.run("run");
    link.loseAnswerTo("");
    await engine.append(stepOf(claim, { messages: [said(`${trial} lost`)], toolCalls: [called(`call ${trial}`)] }));
    link.loseAnswerTo("COMMIT");
    const usage = { ...USAGE, input_tokens: trial };
    await engine.append(stepOf(claim, { messages: [said(`${trial} paid`)], usage, bill }));
  }

  const thread = await threadOf(direct, "thread");
  const expected = Array.from({ length: 3 }, (_, index) => [`${index + 1} lost`, `${index + 1} paid`]);
  expect(thread?.messages.slice(1).map(({ content }) => content)).toEqual(expected.flat());
  const told = await direct.activities({ limit: 100, type: "tool.called" });
  expect(told.items).toHaveLength(3);
});

/** An engine whose connections can lose answers, and one beside it that reaches the same database. */
async function openLine() {
  const server = await postgres();
  const name = await server.createDatabase();
  await using opening = new AsyncDisposableStack();
  const direct = opening.use(await openAt(server.url(name)));
  const link = opening.use(await Link.open({ port: server.port }));
  const engine = opening.use(await openAt(server.url(name).replace(`:${server.port}/`, `:${link.port}/`)));
  const owned = opening.move();
  return { engine, link, direct, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function said(content: string): Message {
  return { role: "assistant", content };
}

function called(toolCallId: string): ToolCall {
  return { stepsBefore: 0, toolCallId, name: "tool", effects: "pure", result: null };
}
