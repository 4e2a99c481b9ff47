/** A connection that breaks before a write is answered: the write was committed, and its sender cannot know that. */
import { expect, test, vi } from "vitest";
import { Link } from "../../testing/link.ts";
import type { TestPostgres } from "../../testing/postgres.ts";
import type { Message } from "../../core/message.ts";
import type { ToolCall } from "../engine.ts";
import { claimNext, delta, enqueue, journalOf, stepOf, threadOf } from "../contract/setup.ts";
import { databases, openAt } from "./test-data.ts";

const { postgres } = databases();

const TRIALS = 8;
/** The database refuses this many connections before it takes them again. */
const REFUSALS = 10;
/** For CONNECTION LIMIT: no limit. */
const ANY = -1;
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

test.each([
  { what: "a step", text: "", more: {} },
  {
    what: "a step that costs money",
    text: "COMMIT",
    more: { usage: { ...USAGE, input_tokens: 1 }, bill: { model: "m", price: undefined } },
  },
])("$what whose answer is lost is stored once, although the database then refuses connections", async (row) => {
  await using line = await openLine();
  const { engine, link, direct } = line;
  await enqueue(engine, { runId: "run" });
  const claim = await claimNext(engine);
  await engine.append(stepOf(claim, { events: [delta("first")] }));
  await line.allow(0);
  const whileRefused = async () => {
    const before = line.connections();
    await vi.waitFor(() => expect(line.connections()).toBeGreaterThan(before + REFUSALS), { timeout: 30_000 });
    await line.allow(ANY);
  };

  link.loseAnswerTo(row.text);
  await Promise.all([engine.append(stepOf(claim, { events: [delta("second")], ...row.more })), whileRefused()]);

  const said = (await journalOf(direct, "run")).filter(({ type }) => type === "TEXT_MESSAGE_CONTENT");
  expect(said.map((event) => event["delta"])).toEqual(["first", "second"]);
});

/** An engine whose connections can lose answers, and one beside it that reaches the same database. */
async function openLine() {
  const server = await postgres();
  const name = await server.createDatabase();
  const url = await urlOf(server, name);
  await using opening = new AsyncDisposableStack();
  const direct = opening.use(await openAt(url));
  let connections = 0;
  const link = opening.use(await Link.open({ port: server.port }, () => (connections += 1)));
  const engine = opening.use(await openAt(url.replace(`:${server.port}/`, `:${link.port}/`)));
  const owned = opening.move();
  return {
    engine,
    link,
    direct,
    /** The number of connections that the engine began over the link. */
    connections: () => connections,
    /** Lets the database have this many connections. */
    allow: (count: number) => server.admin(`ALTER DATABASE ${name} CONNECTION LIMIT ${count}`),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The database's address for its owner. A superuser would be refused no connection. */
async function urlOf(server: TestPostgres, name: string): Promise<string> {
  const owner = `owner_of_${name}`;
  await server.admin(`CREATE ROLE ${owner} LOGIN; ALTER DATABASE ${name} OWNER TO ${owner}`);
  const url = new URL(server.url(name));
  url.username = owner;
  return url.href;
}

function said(content: string): Message {
  return { role: "assistant", content };
}

function called(toolCallId: string): ToolCall {
  return { stepsBefore: 0, toolCallId, name: "tool", effects: "pure", result: null };
}
