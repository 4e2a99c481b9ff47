import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import type { Run } from "../../core/run.ts";
import { enqueue } from "../contract/setup.ts";
import { openTemporary } from "./test-data.ts";

const RUNS = 12_000;

test("a filter that fits few of many rows answers short pages, each quickly, that together are complete", async () => {
  await using data = await openTemporary({ queued: 100_000 });
  await enqueue(data.engine, { agentId: "often" });
  using db = new DatabaseSync(data.folder.dbPath);
  // The same run that many times; the first one failed.
  db.exec(`INSERT INTO runs (id, thread_id, agent_id, status, head, created_at, metadata, principal, fingerprint)
    WITH RECURSIVE numbers (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < ${RUNS})
    SELECT 'run_' || i, 'thread_' || i, 'often', iif(i = 1, 'failed', 'completed'), 0, i, '{}', 'ana', '' FROM numbers`);

  const pages: Run[][] = [];
  for (let before: number | undefined; ;) {
    const filter = { limit: 50, agentId: "often", status: "failed" } as const;
    const { items, next } = await data.engine.runs({ ...filter, ...(before !== undefined && { before }) });
    pages.push([...items]);
    if (next === null) break;
    before = next;
  }

  expect(pages.map((page) => page.map(({ run_id }) => run_id))).toEqual([[], [], ["run_1"]]);
});
