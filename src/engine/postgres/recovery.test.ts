/** Connections that break while steps are written: nobody knows then what was committed, and each step is stored once. */
import { expect, test } from "vitest";
import { Link } from "../../testing/link.ts";
import { seeded } from "../../testing/random.ts";
import { delta, enqueue, claimNext, journalOf, stepOf } from "../contract/setup.ts";
import { databases, openAt } from "./test-data.ts";

const { postgres } = databases();

const STEPS = 200;
/** Every so many steps one that costs something. */
const BILLED_EVERY = 10;
const BROKEN_EVERY = 5;
const random = seeded(1);

test(`${STEPS} steps over a connection that breaks again and again are stored once each, in order, and paid once`, async () => {
  const server = await postgres();
  const name = await server.createDatabase();
  await using direct = await openAt(server.url(name));
  await using link = await Link.open(server.port);
  await using engine = await openAt(server.url(name).replace(`:${server.port}/`, `:${link.port}/`));
  await enqueue(engine, { runId: "run" });
  const claim = await claimNext(engine);
  for (let step = 1; step <= STEPS; step += 1) {
    const usage = { input_tokens: step, output_tokens: 0, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 };
    const bill = step % BILLED_EVERY === 0 ? { usage, bill: { model: "m", price: undefined } } : {};
    const stored = engine.append(stepOf(claim, { events: [delta(String(step))], ...bill }));
    // Before the statement is sent, while it runs, or when its answer is under way.
    if (step % BROKEN_EVERY === 0) setTimeout(() => link.mend(), random(6));
    await stored;
  }

  const said = (await journalOf(direct, "run")).filter(({ type }) => type === "TEXT_MESSAGE_CONTENT");
  expect(said.map((event) => Number(event["delta"]))).toEqual(Array.from({ length: STEPS }, (_, index) => index + 1));
  const [spent] = await direct.spending({ by: "model", since: "2000-01-01" });
  expect(spent).toMatchObject({ calls: STEPS / BILLED_EVERY, usage: { input_tokens: STEPS } });
});
