/** Transactions that lock several runs at once, as hard as they can: none of them may end in a deadlock. */
import { expect, test } from "vitest";
import { delta, enqueue, ownerOf, start, stepOf, LEASE_MS } from "../contract/setup.ts";
import type { Claim, Engine } from "../engine.ts";
import { seeded } from "../../testing/random.ts";
import { databases, openAt } from "./test-data.ts";

const { postgres } = databases();

const FOR_MS = 3_000;
const PARENTS = 4;
const CHILDREN = 5;
const NOTHING = { input_tokens: 0, output_tokens: 0, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 };

test("steps, extends, bills and cancels of the same families never end in a deadlock", async () => {
  const server = await postgres();
  const name = await server.createDatabase();
  const counts = await stress(server.url(name));

  for (const count of counts) expect(count).toBeGreaterThan(PARENTS);
  expect(await deadlocksOf(name)).toBe(0);
});

test("messages that interrupt a run and its delegated run while the queue is nearly full never end in a deadlock", async () => {
  const server = await postgres();
  const name = await server.createDatabase();
  const counts = await interruptNearLimit(server.url(name));

  expect(await deadlocksOf(name)).toBe(0);
  for (const count of counts) expect(count).toBeGreaterThan(PARENTS);
});

/** @returns how many messages came to the thread of the parent, and to that of its child */
async function interruptNearLimit(url: string): Promise<readonly number[]> {
  // So few that each message is counted under the lock of admission.
  const limits = { queued: 100 };
  await using first = await openAt(url, limits);
  await using second = await openAt(url, limits);
  const parent = await start(first);
  const child = await start(first, { parentRunId: parent.run.run_id });
  const counts = [0, 0];
  await Promise.all(
    [first, second].flatMap((engine) =>
      [parent, child].map(({ run: { thread_id: threadId } }, index) =>
        repeatedly(async () => {
          await enqueue(engine, { threadId, strategy: "interrupt" });
          counts[index] = (counts[index] ?? 0) + 1;
        }),
      ),
    ),
  );
  return counts;
}

/** @returns how often each kind of work was done */
async function stress(url: string): Promise<readonly number[]> {
  await using owner = await openAt(url);
  await using other = await openAt(url);
  const { parents, children } = await families(owner);
  const all = [...parents, ...children];
  const shuffled = shuffler(seeded(1));
  let [paid, extended, canceled] = [0, 0, 0];

  await Promise.all([
    ...children.map((child) =>
      repeatedly(async () => {
        paid += 1;
        const usage = { ...NOTHING, input_tokens: paid };
        await owner.append(stepOf(child, { events: [delta("a")], usage, bill: { model: "m", price: undefined } }));
      }),
    ),
    ...parents.map((parent) =>
      repeatedly(async () => void (await owner.append(stepOf(parent, { events: [delta("a")] })))),
    ),
    ...[owner, other].map((engine) =>
      repeatedly(async () => {
        const runIds = shuffled(all).map(({ run }) => run.run_id);
        extended += (await engine.extend({ owner: ownerOf("owner 1"), runIds, leaseMs: LEASE_MS })).size;
      }),
    ),
    ...shuffled(parents).map(({ run }) =>
      repeatedly(async () => {
        await other.cancel(run.run_id);
        canceled += 1;
      }),
    ),
  ]);

  return [paid, extended, canceled];
}

async function families(engine: Engine): Promise<{ parents: Claim[]; children: Claim[] }> {
  const parents: Claim[] = [];
  const children: Claim[] = [];
  for (let index = 0; index < PARENTS; index += 1) {
    const parent = await start(engine);
    parents.push(parent);
    for (let child = 0; child < CHILDREN; child += 1)
      children.push(await start(engine, { parentRunId: parent.run.run_id }));
  }
  return { parents, children };
}

async function repeatedly(work: () => Promise<void>): Promise<void> {
  const endsAt = performance.now() + FOR_MS;
  while (performance.now() < endsAt) await work();
}

function shuffler(random: (below: number) => number) {
  return <T>(items: readonly T[]): T[] => {
    const left = [...items];
    return items.flatMap(() => left.splice(random(left.length), 1));
  };
}

/** @param database nobody is connected to it: a connection reports its deadlocks at the latest when it ends */
async function deadlocksOf(database: string): Promise<number> {
  const server = await postgres();
  const sql = `SELECT deadlocks FROM pg_stat_database WHERE datname = '${database}'`;
  const { rows } = await server.admin(sql);
  return Number((rows[0] as { deadlocks: string }).deadlocks);
}
