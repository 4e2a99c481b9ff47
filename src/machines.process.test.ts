/**
 * Several servers on one Postgres, each a whole tree of processes: the other servers continue the runs of a dead one.
 * The test sees only the client's side.
 */
import { setTimeout as delay } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { problemsOf, textIn, type ReadEvent } from "./testing/journal.ts";
import { Link } from "./testing/link.ts";
import { agentsOf, CLAIMED, killTree, ownerOf, readOn, startMachines } from "./testing/machines.ts";
import type { Server } from "./testing/server.ts";
import { readAll, type SseEvent } from "./testing/sse.ts";
import { storages } from "./testing/storages.ts";

const { environment, postgres } = storages();

/** From the kill of a machine until its last run runs again: 5 s of silence, and a second of upkeep. */
const ELSEWHERE_MS = 6_500;
const RUNS = 12;

test("runs of a machine that is killed go on at the others, and its streams resume there", async () => {
  const env = await environment("Postgres");
  await using servers = await startMachines([env, env, env]);
  const [first] = servers.all as [Server];
  const runIds = await Promise.all(numbersTo(RUNS).map(() => first.client.begin("/sim tokens=160 rate=20")));
  // Whichever of them claims most: nothing says that each gets a share.
  const [victim, second, third] = await byRunsOf(servers.all, runIds);
  const agents = await agentsOf(victim);
  const seen = new Map(runIds.map((runId) => [runId, [] as SseEvent[]]));
  const reading = Promise.all(runIds.map((runId) => readOn(victim, runId, seen.get(runId) ?? [])));
  await vi.waitUntil(() => [...seen.values()].every((events) => events.length >= 8), { timeout: 15_000 });
  const moved = runIds.filter((runId) => agents.includes(ownerOf(claimsOf(seen.get(runId) ?? []))));

  killTree(victim);
  const killedAt = Date.now();
  await reading;
  await Promise.all(runIds.map((runId, index) => readOn(index % 2 ? second : third, runId, seen.get(runId) ?? [])));

  expect(moved.length).toBeGreaterThan(0);
  for (const runId of runIds) {
    const events = seen.get(runId)?.map(({ event }) => event) ?? [];
    expect(problemsOf(events)).toEqual([]);
    const { body: run } = await second.client.get(`/api/runs/${runId}`);
    expect(run).toMatchObject({ status: "completed" });
    expect(textIn(events)).toBe(run.reply);
    expect(await third.client.events(runId)).toEqual(events);
  }
  const again = moved.map((runId) => claimsOf(seen.get(runId) ?? []).at(-1)?.timestamp ?? Infinity);
  for (const at of again) expect(at - killedAt).toBeLessThan(ELSEWHERE_MS);
}, 90_000);

test("a machine that is cut off from the database loses its runs to another, and serves again by itself", async () => {
  const database = await postgres();
  await using link = await Link.open({ port: database.port });
  const { DATABASE_URL: url = "" } = await environment("Postgres");
  const through = url.replace(`:${database.port}/`, `:${link.port}/`);
  await using servers = await startMachines([{ DATABASE_URL: through }, { DATABASE_URL: url }]);
  const [cutOff, other] = servers.all as [Server, Server];
  const runIds = await Promise.all(numbersTo(RUNS).map(() => cutOff.client.begin("/sim tokens=100 rate=20")));
  const seen = new Map(runIds.map((runId) => [runId, [] as SseEvent[]]));
  const seenOf = (runId: string) => seen.get(runId) ?? [];
  const reading = runIds.map((runId) => readOn(other, runId, seenOf(runId)));
  await vi.waitUntil(() => runIds.every((runId) => seenOf(runId).length >= 8), { timeout: 15_000 });

  link.silence();
  await Promise.all(reading);
  expect(await cutOff.client.get("/health")).toMatchObject({ status: 200 });
  link.mend();

  for (const runId of runIds) {
    const events = seenOf(runId).map(({ event }) => event);
    expect(problemsOf(events)).toEqual([]);
    expect(events.at(-1)).toMatchObject({ type: "RUN_FINISHED", outcome: { type: "success" } });
  }
  await vi.waitFor(
    async () => expect(await cutOff.client.chat("/sim tokens=2")).toMatchObject({ body: { reply: "tok1 tok2" } }),
    { timeout: 20_000, interval: 500 },
  );
  // Late writes of the disconnected machine would come after the ends of the journals.
  for (const runId of runIds) expect(await other.client.events(runId)).toEqual(seenOf(runId).map(({ event }) => event));
}, 90_000);

test("a database that restarts, and one that is away for a while, costs time only", async () => {
  await using servers = await startMachines([await environment("Postgres")]);
  const [server] = servers.all as [Server];
  const runIds = await Promise.all(numbersTo(4).map(() => server.client.begin("/sim tokens=160 rate=20")));
  const reading = runIds.map(async (runId) =>
    (await readAll(await server.client.follow(runId))).map(({ event }) => event),
  );
  await delay(1_000);

  const database = await postgres();
  await database.stop();
  expect(await server.client.get("/health")).toMatchObject({ status: 200 });
  const { status, headers } = await server.client.post("/api/chat", { agent_id: "assistant", message: "hello" });
  expect(status).toBe(503);
  expect(headers.get("retry-after")).not.toBeNull();
  await delay(3_000);
  await database.run();

  for (const [index, events] of (await Promise.all(reading)).entries()) {
    expect(problemsOf(events)).toEqual([]);
    const { body: run } = await server.client.get(`/api/runs/${runIds[index]}`);
    expect(run).toMatchObject({ status: "completed", attempts: 1 });
    expect(textIn(events)).toBe(run.reply);
  }
  expect(await server.client.chat("/sim tokens=2")).toMatchObject({ status: 200 });
}, 60_000);

/** The servers, the one whose agent owns most of the runs first. Waits until each run has an owner. */
async function byRunsOf(servers: readonly Server[], runIds: readonly string[]): Promise<[Server, Server, Server]> {
  const owners = await vi.waitUntil(
    async () => {
      const journals = await Promise.all(runIds.map((runId) => (servers[0] as Server).client.events(runId)));
      const found = journals.map((events) => ownerOf(events));
      return found.every((owner) => owner !== "") && found;
    },
    { timeout: 15_000 },
  );
  const owned = await Promise.all(
    servers.map(async (server) => {
      const agents = await agentsOf(server);
      return { server, runs: owners.filter((owner) => agents.includes(owner)).length };
    }),
  );
  const sorted = owned.toSorted((a, b) => b.runs - a.runs).map(({ server }) => server);
  return sorted as [Server, Server, Server];
}

function claimsOf(events: readonly SseEvent[]): ReadEvent[] {
  return events.map(({ event }) => event).filter(({ name }) => name === CLAIMED);
}

function numbersTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}
