/**
 * Clocks that are set, and a process tree that is stopped: no run moves to another owner, is timed out, or loses a
 * tool. Real processes; the wall clock is moved under them, the monotonic one is not.
 */
import { resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { makeClock } from "./testing/moved-clock.ts";
import { descendantsOf } from "./testing/processes.ts";
import { startServer, type Server } from "./testing/server.ts";

const CONFIG_DIR = resolve(import.meta.dirname, "fixtures/leases");
/** Longer than a lease, which is 15 s. `STANDSTILL_S=70 npx vitest run src/leases.process.test.ts` makes it longer. */
const STANDSTILL_MS = 1_000 * Number(process.env["STANDSTILL_S"] ?? 20);

test(
  "clocks that are set by seconds, minutes and days, both ways, move no run and time none out",
  { timeout: 60_000 },
  async () => {
    await using clock = await makeClock();
    await using server = await startServer({ env: { AGENTS: "2", CONFIG_DIR, ...clock.env } });
    const runs = await beginRuns(server, { seconds: 8 });

    for (const step of ["+20", "-20", "+600", "-600", "+172800", "-172800", "+0"]) {
      await clock.set(step);
      await delay(1_200);
      const { body } = await server.client.post("/api/activities", { role: "user", content: step });
      // Checks that the server's clock was really set.
      expect(Math.abs(Number(body["at"]) - Date.now() - 1_000 * Number(step))).toBeLessThan(10_000);
    }

    expect(await endsOf(server, runs)).toEqual(runs.map(() => UNDISTURBED));
  },
);

test(
  "a tree that stood still for longer than a lease goes on as if nothing had been",
  { timeout: 70_000 + STANDSTILL_MS },
  async () => {
    await using server = await startServer({ env: { AGENTS: "2", CONFIG_DIR } });
    const runs = await beginRuns(server, { seconds: 6 });
    await delay(1_000);
    const tree = [server.pid, ...descendantsOf(server.pid)];

    for (const pid of tree) process.kill(pid, "SIGSTOP");
    await delay(STANDSTILL_MS);
    for (const pid of tree) process.kill(pid, "SIGCONT");

    expect(await endsOf(server, runs)).toEqual(runs.map(() => UNDISTURBED));
  },
);

/** Runs that stream, and runs with an unsafe tool under way. */
async function beginRuns({ client }: Server, { seconds }: { seconds: number }): Promise<string[]> {
  const streaming = Array.from({ length: 10 }, () => client.begin(`/sim tokens=${10 * seconds} rate=10`));
  const sending = Array.from({ length: 6 }, () => client.begin(`/sim tool=send input={"ms":${1_000 * seconds}}`));
  return Promise.all([...streaming, ...sending]);
}

const UNDISTURBED = { status: "completed", attempts: 1, isPlausible: true, isUnknown: false };

function endsOf({ client }: Server, runs: readonly string[]): Promise<object[]> {
  return Promise.all(
    runs.map(async (runId) => {
      await client.follow(runId).then((response) => response.text());
      const { body } = await client.get(`/api/runs/${runId}`);
      const duration = Number(body["duration_ms"]);
      const isPlausible = duration >= 0 && duration < 2 * STANDSTILL_MS + 20_000;
      return { status: body.status, attempts: body["attempts"], isPlausible, isUnknown: /unknown/.test(body.reply) };
    }),
  );
}
