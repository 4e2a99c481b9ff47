import { expect, test } from "vitest";
import { newRun } from "../contract/setup.ts";
import { Forked } from "./fixtures/forked.ts";
import { openTemporary } from "./test-data.ts";

const CLAIMER = new URL("./fixtures/claimer.ts", import.meta.url);

const RUNS = 1_000;
const OWNERS = ["owner 1", "owner 2", "owner 3", "owner 4"];

test(`${OWNERS.length} processes that claim ${RUNS} runs at once get each of them once, without an error`, async () => {
  await using data = await openTemporary();
  const runs = await Promise.all(Array.from({ length: RUNS }, () => data.engine.enqueue(newRun())));
  await using claimers = new AsyncDisposableStack();
  const children = OWNERS.map((owner) => claimers.use(new Forked<string[]>(CLAIMER, data.folder.path, owner)));
  await Promise.all(children.map((child) => child.message()));

  for (const child of children) child.send("go");
  const claimed = await Promise.all(children.map((child) => child.message()));

  expect(await Promise.all(children.map((child) => child.exitCode()))).toEqual(OWNERS.map(() => 0));
  expect(claimed.filter(({ length }) => length > 0).length).toBeGreaterThan(1);
  expect(claimed.flat().toSorted()).toEqual(runs.map(({ run }) => run.run_id).toSorted());
  const { items } = await data.engine.runs({ limit: RUNS + 1, status: "completed" });
  expect(items.filter(({ attempts }) => attempts === 1)).toHaveLength(RUNS);
});
