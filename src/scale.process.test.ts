/** More and fewer processes while the server serves. Real processes and signals. */
import { expect, test, vi } from "vitest";
import { startServer } from "./testing/server.ts";
import { readSse } from "./testing/sse.ts";

test("SIGTTIN adds a worker, SIGTTOU has one drain, and a stream goes on through both", async () => {
  await using server = await startServer();
  const types: string[] = [];
  const read = (async () => {
    for await (const { event } of readSse(await server.client.stream("/sim tokens=100 rate=20")))
      types.push(event.type);
  })();
  const ids = async () => (await server.processes("worker")).map(({ id, state }) => `${id} ${state}`);

  server.kill("SIGTTIN");
  await vi.waitFor(async () => expect(await ids()).toEqual(["1 ready", "2 ready", "3 ready"]), { timeout: 10_000 });
  server.kill("SIGTTOU");
  await vi.waitFor(async () => expect(await ids()).toEqual(["1 ready", "2 ready"]), { timeout: 15_000 });
  await read;

  expect(types.at(-1)).toBe("RUN_FINISHED");
  expect(server.stdout).toContain("2 → 3 workers: by hand");
  expect(server.stdout).toContain("3 → 2 workers: by hand");
});
