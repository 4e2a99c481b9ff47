/**
 * A run whose tool ends its agent process, and processes that are killed from outside: no other run fails because of
 * them.
 */
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { startServer, type Server } from "./testing/server.ts";
import { readSse } from "./testing/sse.ts";

const CONFIG_DIR = resolve(import.meta.dirname, "fixtures/killer");
const PATIENCE_MS = 60_000;

test.each(["1", "2"])(
  "of 40 runs that stream or use a tool beside one that kills its process, none fails (AGENTS=%s)",
  { timeout: 2 * PATIENCE_MS },
  async (agents) => {
    await using server = await startServer({ env: { AGENTS: agents, CONFIG_DIR } });
    const begin = (count: number, message: string) =>
      Promise.all(Array.from({ length: count }, () => server.client.begin(message)));
    const innocents = [
      ...(await begin(30, "/sim tokens=40 rate=20")),
      ...(await begin(10, '/sim tool=wait input={"ms":400}')),
    ];

    const killer = await server.client.begin("/sim tool=kill");

    expect(await endOf(server, killer)).toBe("POISONED");
    const ends = await Promise.all(innocents.map((runId) => endOf(server, runId)));
    expect(ends).toEqual(innocents.map(() => "completed"));
  },
);

test("a run that streams is never given up, however often its agent is killed", { timeout: PATIENCE_MS }, async () => {
  await using server = await startServer({ env: { AGENTS: "2" } });
  const runId = await server.client.begin("/sim tokens=20 rate=20");
  let kills = 0;

  for await (const { event } of readSse(await server.client.follow(runId))) {
    const owner = (event.value as { owner?: string } | undefined)?.owner;
    if (event.name !== "evenkeel.claimed" || kills === 5) continue;
    kills += 1;
    process.kill(Number(/(\d+)$/.exec(owner ?? "")?.[1]), "SIGKILL");
  }

  expect(await endOf(server, runId)).toBe("completed");
  expect((await server.client.get(`/api/runs/${runId}`)).body).toMatchObject({ attempts: 6 });
});

/** How the run ends: its status, or the code of its error. */
async function endOf({ client }: Server, runId: string): Promise<unknown> {
  await client.follow(runId).then((response) => response.text());
  const { body } = await client.get(`/api/runs/${runId}`);
  const error = body["error"] as { readonly code: string } | null;
  return error?.code ?? body.status;
}
