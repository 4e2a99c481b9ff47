/** Several servers on one Postgres show each other, and one governs what the others do. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import type { Machine, ProcessInfo } from "./api/system.ts";
import { agentsOf, killTree, ownerOf, startMachines } from "./testing/machines.ts";
import { ModelTap } from "./testing/model-tap.ts";
import type { Server } from "./testing/server.ts";
import { storages } from "./testing/storages.ts";
import { startSimulator } from "./simulator/server.ts";

const { environment, postgres } = storages();
const CONFIG_DIR = `${import.meta.dirname}/fixtures/machines`;

/** Three missed reports, the time between two reports, and a snapshot. */
const SILENT = { timeout: 12_000, interval: 100 };
const PATIENCE = { timeout: 15_000, interval: 50 };
/** More than are ever needed until each of two machines has claimed one. */
const ENOUGH_RUNS = 60;
/** After this, what an agent knew before no longer counts: longer than REFRESH_MS of the governor. */
const FORGOTTEN_MS = 1_100;

test("each machine shows all; one that stops is gone at once, and one that dies is shown as silent", async () => {
  const env = { ...(await environment("Postgres")), CONFIG_DIR };
  await using servers = await startMachines([env, env, env]);
  const [first, second, third] = servers.all as [Server, Server, Server];

  const names = await vi.waitFor(async () => {
    const all = await Promise.all(servers.all.map(machinesOf));
    for (const { machines } of all) expect(machines).toHaveLength(3);
    return all.map(({ machine }) => machine);
  }, SILENT);
  const { machines, processes } = await machinesOf(first);
  expect(machines.map(({ state }) => state)).toEqual(["live", "live", "live"]);
  expect(machines[0]).toMatchObject({ machine: names[0], age_ms: 0 });
  for (const name of names) expect(kindsOf(processes, name)).toEqual(["primary", "worker", "simulator", "agent"]);
  expect((await first.client.get("/ready")).status).toBe(200);
  // Each reports itself, and one of them what is the same for all.
  const scrapes = await Promise.all(servers.all.map(({ client }) => client.get("/metrics")));
  const samples = scrapes.flatMap(({ body }) => String(body["text"]).split("\n"));
  expect(samples.filter((line) => line.startsWith('evenkeel_process_ready{kind="worker"'))).toHaveLength(3);
  expect(samples.filter((line) => line.startsWith("evenkeel_runs{") && line.includes('"queued"'))).toHaveLength(1);

  second.kill("SIGTERM");
  expect(await second.exitCode()).toBe(0);
  await vi.waitFor(
    async () => expect((await machinesOf(first)).machines.map(({ machine }) => machine)).toEqual([names[0], names[2]]),
    SILENT,
  );

  killTree(third);
  await vi.waitFor(
    async () => expect((await machinesOf(first)).machines[1]).toMatchObject({ state: "silent" }),
    SILENT,
  );
  const alone = await machinesOf(first);
  expect(alone.machines[1]).toMatchObject({ machine: names[2] });
  expect(kindsOf(alone.processes, names[2])).toEqual([]);
}, 60_000);

test("a cancel, a limit of the model and a budget hold on a machine that did not learn of them", async () => {
  await using tap = await ModelTap.open();
  await using model = await startSimulator();
  tap.target = model.url;
  const storage = await environment("Postgres");
  const env = { ...storage, ANTHROPIC_BASE_URL: tap.url, CONFIG_DIR };
  await using servers = await startMachines([env, env]);
  const [first, second] = servers.all as [Server, Server];

  // A cancel at the machine that does not have the run, and its activity in the feed of that machine.
  const long = await first.client.begin("/sim tokens=400 rate=20");
  const owner = await ownerIn(servers.all, long);
  const other = owner === first ? second : first;
  await other.client.post(`/api/runs/${long}/cancel`);
  await vi.waitFor(async () => expect(await statusOf(other, long)).toBe("canceled"), PATIENCE);
  const { body } = await other.client.get(`/api/activities?run_id=${long}`);
  expect(body["activities"]).toMatchObject([{ type: "run.canceled" }, { type: "run.started" }, { type: "run.queued" }]);

  // The first call learns of the limit. Until it is over, no machine asks the model.
  const limitedMs = 3_000;
  const askedAt: number[] = [];
  tap.answer = () => {
    askedAt.push(performance.now());
    if (askedAt.length > 1) return undefined;
    return Response.json(
      { type: "error", error: { type: "rate_limit_error", message: "slow down" } },
      { status: 429, headers: { "retry-after": String(limitedMs / 1_000) } },
    );
  };
  const taught = await first.client.begin("hello");
  await vi.waitUntil(() => isBlocked(storage), PATIENCE);
  await sleep(FORGOTTEN_MS);
  const held = [taught, ...(await runsOnBoth(servers.all, () => first.client.begin("hello")))];
  for (const runId of held)
    await vi.waitFor(async () => expect(await statusOf(second, runId)).toBe("completed"), PATIENCE);
  const [limitedAt = 0, nextAt = 0] = askedAt;
  expect(nextAt - limitedAt).toBeGreaterThan(limitedMs - 100);

  // What one machine has spent is spent on both.
  const thrifty = { agent_id: "thrifty" };
  await vi.waitFor(
    async () => expect(await first.client.chat("hello", thrifty)).toMatchObject({ status: 429 }),
    PATIENCE,
  );
  const refused = await runsOnBoth(servers.all, () => second.client.begin("hello", thrifty));
  for (const runId of refused) {
    await vi.waitFor(async () => expect(await statusOf(first, runId)).toBe("failed"), PATIENCE);
    expect((await first.client.get(`/api/runs/${runId}`)).body["error"]).toMatchObject({ code: "BUDGET_EXCEEDED" });
  }
}, 60_000);

interface Machines {
  readonly machine: string;
  readonly machines: readonly Machine[];
  readonly processes: readonly ProcessInfo[];
}

async function machinesOf({ client }: Server): Promise<Machines> {
  const { body } = await client.get("/api/workers");
  return body as unknown as Machines;
}

function kindsOf(processes: readonly ProcessInfo[], name: string | undefined): string[] {
  return processes.filter(({ machine }) => machine === name).map(({ kind }) => kind);
}

async function statusOf({ client }: Server, runId: string): Promise<unknown> {
  return (await client.get(`/api/runs/${runId}`)).body.status;
}

/** Begins runs until each machine has claimed one. @returns all of them */
async function runsOnBoth(servers: readonly Server[], begin: () => Promise<string>): Promise<string[]> {
  const runIds: string[] = [];
  const owners = new Set<Server>();
  while (owners.size < servers.length && runIds.length < ENOUGH_RUNS) {
    const runId = await begin();
    runIds.push(runId);
    owners.add(await ownerIn(servers, runId));
  }
  expect(owners.size).toBe(servers.length);
  return runIds;
}

/** The machine whose agent claims the run. */
async function ownerIn(servers: readonly Server[], runId: string): Promise<Server> {
  const agents = await Promise.all(servers.map(agentsOf));
  return vi.waitUntil(async () => {
    const owner = ownerOf(await (servers[0] as Server).client.events(runId));
    return servers.find((_server, index) => agents[index]?.includes(owner));
  }, PATIENCE);
}

/** Whether the storage has what a refusal of the model said. Until then, a machine may still ask the model. */
async function isBlocked({ DATABASE_URL: url = "" }: Record<string, string>): Promise<boolean> {
  const database = await postgres();
  const { rows } = await database.admin("SELECT text FROM shared", new URL(url).pathname.slice(1));
  return rows.some(({ text }) => {
    const { blockedUntil = 0 } = JSON.parse(String(text)) as { blockedUntil?: number };
    return blockedUntil > Date.now();
  });
}
