/** Processes that start while their Postgres is away. */
import { expect, test, vi } from "vitest";
import { startServer } from "./testing/server.ts";
import { storages } from "./testing/storages.ts";

const { environment, postgres } = storages();
const KINDS = ["worker", "agent"] as const;

test("a process that starts while Postgres is away says in one line what it waits for, and comes when it is back", async () => {
  const { DATABASE_URL: url = "" } = await environment("Postgres");
  const database = await postgres();
  const env = { WORKERS: "1", AGENTS: "1", DATABASE_URL: url.replace("@", ":its-password@") };
  await using server = await startServer({ env });
  const pids = (await Promise.all(KINDS.map((kind) => server.processes(kind)))).flat().map(({ pid }) => pid ?? 0);

  await database.stop();
  for (const pid of pids) process.kill(pid, "SIGKILL");
  const linesOf = (kind: string) => server.logLines().filter((line) => line["process"] === `${kind} 1`);
  // Until each of them was tried twice: a line an attempt.
  await vi.waitFor(
    () => {
      for (const kind of KINDS) expect(linesOf(kind).filter(isWaiting).length).toBeGreaterThanOrEqual(2);
    },
    { timeout: 15_000 },
  );
  const said = server.stdout + server.stderr;
  await database.run();

  for (const { msg, ...more } of KINDS.flatMap(linesOf).filter(isWaiting)) {
    expect(msg).toMatch(
      new RegExp(`^waiting for Postgres at 127\\.0\\.0\\.1:${database.port}: .* \\(connect ECONNREFUSED`),
    );
    expect(more).not.toHaveProperty("err");
  }
  expect(said).not.toMatch(/this process ends|its-password/);
  expect(said).toContain("did not start; it is tried again");
  await server.ready();
  expect(await server.client.chat("/sim tokens=2")).toMatchObject({ status: 200, body: { reply: "tok1 tok2" } });
}, 60_000);

function isWaiting({ msg }: Record<string, unknown>): boolean {
  return String(msg).startsWith("waiting for Postgres");
}
