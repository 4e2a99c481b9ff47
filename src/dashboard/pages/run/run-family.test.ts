import { expect, test, vi } from "vitest";
import { NO_USAGE, type Run } from "../../../core/run.ts";
import { FakeServices } from "../../live/fake-services.ts";
import { costOfAll, RunFamily, usageOfAll } from "./run-family.ts";

const child = (runId: string, steps: number) => ({ run_id: runId, steps, agent_id: "a", usage: NO_USAGE }) as Run;

test("all runs below a run are found, and those that have made no step are not asked for theirs", async () => {
  const server = new FakeServices();
  const children: Record<string, Run[]> = { top: [child("r1", 2), child("r2", 0)], r1: [child("r3", 1)], r3: [] };
  server.answer = (path) => ({ runs: children[new URL(path, "http://x").searchParams.get("parent_run_id") ?? ""] });
  const family = new RunFamily(server, "top");

  family.follow(true);

  await vi.waitFor(() => expect(family.runs.value.map(({ run_id: id }) => id)).toEqual(["r1", "r2", "r3"]));
  expect(server.requests).toHaveLength(3);
});

test("the runs are read again while the run above them works, and a hidden page asks nothing", async () => {
  vi.useFakeTimers();
  const page = { hidden: false };
  vi.stubGlobal("document", page);
  const server = new FakeServices();
  server.answer = () => ({ runs: [child("r1", 0)] });
  const family = new RunFamily(server, "top");

  const stop = family.follow(false);
  await vi.advanceTimersByTimeAsync(4_500);
  expect(server.requests).toHaveLength(3);
  page.hidden = true;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(server.requests).toHaveLength(3);
  page.hidden = false;
  stop?.();
  await vi.advanceTimersByTimeAsync(10_000);

  expect(server.requests).toHaveLength(3);
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const priced = (id: string) => ({ agent_id: id, price: { input: 1, output: 2, cache_read: 0, cache_write: 0 } });

test("a sum of costs has all that is known, and names the agents whose price is not", () => {
  const runs = [
    { agent_id: "a", usage: { ...NO_USAGE, output_tokens: 1_000_000 } },
    { agent_id: "b", usage: { ...NO_USAGE, output_tokens: 1_000_000 } },
  ];

  expect(usageOfAll(runs).output_tokens).toBe(2_000_000);
  expect(costOfAll(runs, [priced("a"), priced("b")] as never)).toEqual({ known: 4, unpriced: [] });
  expect(costOfAll(runs, [priced("a")] as never)).toEqual({ known: 2, unpriced: ["b"] });
  expect(costOfAll(runs, [])).toEqual({ known: undefined, unpriced: ["a", "b"] });
  expect(costOfAll([...runs.slice(0, 1), { agent_id: "job:index", usage: NO_USAGE }], [priced("a")] as never)).toEqual({
    known: 2,
    unpriced: [],
  });
});
