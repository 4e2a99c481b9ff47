/** Readiness of a database that can be read but not written. */
import { expect, test } from "vitest";
import { databases, openAt } from "./test-data.ts";

const { postgres } = databases();

test("a database that takes no writes is not called well", async () => {
  const server = await postgres();
  const name = await server.createDatabase();
  await (await openAt(server.url(name))).close();
  // A standby refuses writes with the same code: 25006.
  await server.admin(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
  await using engine = await openAt(server.url(name));

  expect(await engine.counts()).toEqual({ queued: 0, running: 0 });
  await expect(engine.check()).rejects.toMatchObject({
    code: "STORAGE_UNAVAILABLE",
    message: expect.stringContaining("read-only"),
  });
});
