/** Transactions that lock several runs at once, as hard as they can: none of them may end in a deadlock. */
import { expect, test } from "vitest";
import { hasCode } from "../../core/errors.ts";
import type { StoredFile } from "../../core/file.ts";
import { delta, enqueue, newRun, ownerOf, save, start, stepOf, LEASE_MS } from "../contract/setup.ts";
import type { Claim, Engine } from "../engine.ts";
import { seeded } from "../../testing/random.ts";
import { filesNamedIn } from "../rules/file-uses.ts";
import { databases, openAt } from "./test-data.ts";

const { postgres } = databases();

const MOST_MS = 20_000;
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

test("runs, removals and retention of the same files never end in a deadlock, and no run lacks its files", async () => {
  const server = await postgres();
  const name = await server.createDatabase();
  const { counts, named, lost } = await stressFiles(server.url(name));

  for (const count of counts) expect(count).toBeGreaterThan(PARENTS);
  expect(named).toBeGreaterThan(0);
  expect(lost).toEqual([]);
  expect(await deadlocksOf(name)).toBe(0);
});

const FILES = 6;
/** About as long as a busy machine takes from saving a file to naming it: some are removed before, and some are not. */
const IDLE_MS = 20;
const THREADS = 20;

/** @returns how often each kind of work was done, how many files stored runs name, and those of them that are gone */
async function stressFiles(url: string) {
  await using owner = await openAt(url);
  await using other = await openAt(url);
  const random = seeded(2);
  const files = new Map<string, StoredFile>();
  let [asked, deleted, retained] = [0, 0, 0];

  const isEnough = () => Math.min(asked, deleted, retained) > PARENTS;
  await Promise.all([
    ...[owner, other].map((engine) =>
      repeatedly(async () => {
        const text = `notes ${random(FILES)}`;
        files.set(text, await save(engine, text));
        const named = shuffler(random)([...files.values()]).slice(0, 3);
        const content = named.map(({ file_id }) => ({ type: "document", source: { type: "file", file_id } }) as const);
        const run = newRun({ threadId: `thread ${random(THREADS)}`, strategy: "interrupt", content });
        if (await unlessRefused(engine.enqueue(run))) asked += 1;
      }, isEnough),
    ),
    repeatedly(async () => {
      const { items } = await other.runs({ limit: THREADS, status: "queued" });
      for (const { run_id: runId, thread_id: thread } of items) {
        await other.cancel(runId);
        if (await unlessRefused(other.deleteThread(thread))) deleted += 1;
      }
    }, isEnough),
    ...[owner, other].map((engine) =>
      repeatedly(async () => {
        await engine.retain({ filesMs: IDLE_MS });
        retained += 1;
      }, isEnough),
    ),
  ]);

  // All threads may be deleted by now.
  const { file_id: fileId } = await save(owner, "notes that stay");
  await owner.enqueue(newRun({ content: [{ type: "document", source: { type: "file", file_id: fileId } }] }));
  return { counts: [asked, deleted, retained], ...(await lostFiles(owner)) };
}

async function unlessRefused<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (hasCode(error, "FILE_NOT_FOUND") || hasCode(error, "THREAD_BUSY")) return undefined;
    throw error;
  }
}

async function lostFiles(engine: Engine): Promise<{ readonly named: number; readonly lost: readonly string[] }> {
  const { items: threads } = await engine.threads({ limit: 100 });
  const pages = await Promise.all(threads.map((thread) => engine.messages(thread.thread_id, { limit: 500 })));
  const named = pages.flatMap(({ items }) => items.flatMap((message) => filesNamedIn(message)));
  const found = await Promise.all(named.map((fileId) => engine.files.find(fileId)));
  return { named: named.length, lost: named.filter((_, index) => found[index] === undefined) };
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

/** For FOR_MS, and on a busy machine until `isEnough`, for MOST_MS at most. */
async function repeatedly(work: () => Promise<void>, isEnough = () => true): Promise<void> {
  const startedAt = performance.now();
  const passedMs = () => performance.now() - startedAt;
  while (passedMs() < FOR_MS || (!isEnough() && passedMs() < MOST_MS)) await work();
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
