/** A connection that breaks before a write is answered: the write was committed, and its sender cannot know that. */
import { expect, test } from "vitest";
import { Link } from "../../testing/link.ts";
import { claimNext, delta, enqueue, journalOf, stepOf } from "../contract/setup.ts";
import { databases, openAt } from "./test-data.ts";

const { postgres } = databases();

const TRIALS = 8;
const USAGE = { input_tokens: 0, output_tokens: 0, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 };

test("steps whose answers are lost are stored once each, in order, and paid once", async () => {
  const server = await postgres();
  const name = await server.createDatabase();
  await using direct = await openAt(server.url(name));
  await using link = await Link.open({ port: server.port });
  await using engine = await openAt(server.url(name).replace(`:${server.port}/`, `:${link.port}/`));
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
