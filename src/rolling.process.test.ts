/** Three servers on one Postgres, upgraded one after the other behind a load balancer, under load. */
import { setTimeout as delay } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { startSimulator } from "./simulator/server.ts";
import { Balancer, CHECK_EACH_MS } from "./testing/balancer.ts";
import { Client } from "./testing/client.ts";
import { problemsOf, textIn } from "./testing/journal.ts";
import { readOn } from "./testing/machines.ts";
import { makePlace, Server, type Place } from "./testing/server.ts";
import type { SseEvent } from "./testing/sse.ts";
import { storages } from "./testing/storages.ts";

const { environment } = storages();

/** The machines and their load share the cores. */
const PATIENT_MS = 40_000;
const STREAMS = 4;
/** Between two requests of one client. */
const PAUSE_MS = 20;
const PATIENCE = { timeout: 20_000, interval: 50 };

test("an upgrade of three machines in turn fails no plain request, and loses or doubles nothing of a stream", async () => {
  await using model = await startSimulator();
  const env = {
    ...(await environment("Postgres")),
    ANTHROPIC_BASE_URL: model.url,
    CONFIG_DIR: `${import.meta.dirname}/fixtures/machines`,
    WORKERS: "1",
    AGENTS: "1",
    DRAIN_DELAY_MS: String(5 * CHECK_EACH_MS),
    DRAIN_MS: "1000",
  };
  await using places = new AsyncDisposableStack();
  const machines: { readonly place: Place; server: Server }[] = [];
  const start = async (place: Place) => places.use(new Server(place, { env })).ready(PATIENT_MS);
  for (let n = 0; n < 3; n += 1) {
    const place = places.use(await makePlace());
    machines.push({ place, server: await start(place) });
  }
  await using balancer = await Balancer.open(machines.map(({ place }) => place.port));
  const client = new Client(balancer.url);
  await using load = startLoad(client);
  const runIds = await Promise.all(Array.from({ length: STREAMS }, () => client.begin("/sim tokens=300 rate=20")));
  const streams = runIds.map((runId) => readToEnd(client, runId));

  for (const machine of machines) {
    const { port } = machine.place;
    machine.server.kill("SIGTERM");
    expect(await machine.server.exitCode(PATIENT_MS)).toBe(0);
    machine.server = await start(machine.place);
    await vi.waitUntil(() => balancer.isUp(port), PATIENCE);
  }
  await load.stop();

  expect(balancer.broken).toEqual([]);
  expect(load.failed).toEqual([]);
  expect(load.requests).toBeGreaterThan(100);
  for (const [index, events] of (await Promise.all(streams)).entries()) {
    const { body: run } = await client.get(`/api/runs/${runIds[index]}`);
    expect(run).toMatchObject({ status: "completed" });
    expect(problemsOf(events)).toEqual([]);
    expect(textIn(events)).toBe(run.reply);
  }
  for (const runId of load.begun) {
    await vi.waitFor(
      async () => expect((await client.get(`/api/runs/${runId}`)).body).toMatchObject({ status: "completed" }),
      PATIENCE,
    );
  }
}, 180_000);

/** Plain requests of each kind, one after the other, until `stop`. */
function startLoad(client: Client) {
  const failed: string[] = [];
  const begun: string[] = [];
  const over = new AbortController();
  let requests = 0;
  const repeat = async (name: string, expected: number, ask: () => Promise<{ readonly status: number }>) => {
    while (!over.signal.aborted) {
      const outcome = await ask().then(
        ({ status }) => status,
        (error: unknown) => String(error),
      );
      requests += 1;
      if (outcome !== expected) failed.push(`${name}: ${outcome}`);
      await delay(PAUSE_MS);
    }
  };
  const begin = async () => {
    const answer = await client.post("/api/chat/async", { agent_id: "assistant", message: "/sim tokens=5" });
    if (answer.status === 202) begun.push(answer.body.run_id);
    return answer;
  };
  const asking = Promise.all([
    ...Array.from({ length: 3 }, () => repeat("GET /health", 200, () => client.get("/health"))),
    repeat("GET /api/activities", 200, () => client.get("/api/activities?limit=5")),
    repeat("POST /api/chat/async", 202, begin),
  ]);
  const stop = async () => {
    over.abort();
    await asking;
  };
  return {
    failed,
    begun,
    stop,
    get requests() {
      return requests;
    },
    [Symbol.asyncDispose]: stop,
  };
}

/** Reads a run's stream to its end, and resumes wherever it breaks. */
async function readToEnd(client: Client, runId: string) {
  const seen: SseEvent[] = [];
  while (!["RUN_FINISHED", "RUN_ERROR"].includes(seen.at(-1)?.event.type ?? "")) {
    await readOn({ client }, runId, seen);
    await delay(PAUSE_MS);
  }
  return seen.map(({ event }) => event);
}
