import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FakeServices } from "../../live/fake-services.ts";
import { RunSelection } from "./run-selection.ts";

const FILTER = { status: "", agent: "a", thread: "", delegated: false, before: null };

class RunServer extends FakeServices {
  running = Array.from({ length: 600 }, (_, n) => `r${n}`);
  queued = ["q1", "q2"];

  override answer = (path: string) => {
    const query = new URL(path, "http://x").searchParams;
    const all = query.get("status") === "running" ? this.running : this.queued;
    const from = Number(query.get("before") ?? 0);
    const end = from + Number(query.get("limit"));
    const runs = all.slice(from, end).map((id) => ({ run_id: id, cancel_requested: id === "r7" }));
    return { runs, next: end < all.length ? end : null };
  };
}

let server: RunServer;
let selection: RunSelection;

beforeEach(() => {
  vi.useFakeTimers();
  server = new RunServer();
  selection = new RunSelection(server, FILTER);
  selection.start();
});
afterEach(() => {
  selection.stop();
  vi.useRealTimers();
});

test("choosing what is shown chooses that, and offers all that match as a second step", async () => {
  selection.chooseShown(["r0", "r1"]);
  await vi.advanceTimersByTimeAsync(10);

  expect([...selection.chosen.value]).toEqual(["r0", "r1"]);
  expect(selection.matching.value).toHaveLength(601);
  expect(server.requests.every((path) => path.includes("agent_id=a") && path.includes("top_level=true"))).toBe(true);
  selection.chooseMatching();
  expect([selection.chosen.value.size, selection.chosen.value.has("q2"), selection.chosen.value.has("r7")]).toEqual([
    601,
    true,
    false,
  ]);
});

test("an offer of an earlier choice does not come after a later one", async () => {
  selection.chooseShown(["r0"]);
  selection.toggle("r1");
  await vi.advanceTimersByTimeAsync(10);

  expect([[...selection.chosen.value], selection.matching.value]).toEqual([["r0", "r1"], null]);
});

test("a run that ends leaves the choice, whether it is shown or not", async () => {
  selection.chooseShown(["r0", "r1"]);

  server.tell({ seq: 1, type: "run.started", run_id: "r1" });
  server.tell({ seq: 2, type: "run.completed", run_id: "r0" });

  expect([...selection.chosen.value]).toEqual(["r1"]);
});
