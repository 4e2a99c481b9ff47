/** The cost of a budget check. The check holds the write lock, so all runs of the machine wait for it. */
import { DatabaseSync } from "node:sqlite";
import { expect, test, vi } from "vitest";
import { SpendingBook } from "./spending.ts";
import { openTemporary } from "./test-data.ts";

test("a budget check reads the runs under way, and none of those that are over", async () => {
  await using data = await openTemporary();
  using db = new DatabaseSync(data.folder.dbPath);
  const prepare = vi.spyOn(db, "prepare");
  void new SpendingBook(db);
  const reservations = prepare.mock.calls.map(([sql]) => sql).filter((sql) => sql.includes("sum(reserved"));

  const plans = reservations.flatMap((sql) => db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all());

  // Of the agent, of the principal with the agent, and of the principal with all agents.
  const running = "SEARCH runs USING INDEX runs_by_status (status=?)";
  expect(plans.map(({ detail }) => detail)).toEqual([running, running, running]);
});
