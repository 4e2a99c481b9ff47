import { expect, test } from "vitest";
import { enqueue } from "../contract/setup.ts";
import { goBackTo } from "./earlier-schemas.ts";
import { Forked } from "./fixtures/forked.ts";
import { MIGRATIONS } from "./migrations.ts";
import { makeFolder, openAt } from "./test-data.ts";

const LOCK_HOLDER = new URL("./fixtures/lock-holder.ts", import.meta.url);

test.each([
  ["writes", 0],
  ["migrates", 1],
])("a process that opens data of an older layout waits for another one that %s", async (_what, migrations) => {
  await using folder = await makeFolder();
  await using written = await openAt(folder.path);
  const run = await enqueue(written);
  await written.close();
  goBackTo(folder.dbPath, MIGRATIONS.length - 1);
  await using holder = new Forked(LOCK_HOLDER, folder.dbPath, String(migrations));
  await holder.message();

  await using engine = await openAt(folder.path);

  expect(await engine.run(run.run_id)).toEqual(run);
  expect(await holder.exitCode()).toBe(0);
});
