import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FakeServices } from "../../live/fake-services.ts";
import { Cancels, UNDO_MS } from "./cancels.ts";

let server: FakeServices;
let cancels: Cancels;
const asked: string[] = [];
const canceled = () => server.calls.map((call) => call.op === "cancel" && call.run_id);

beforeEach(() => {
  vi.useFakeTimers();
  asked.length = 0;
  server = new FakeServices();
  cancels = new Cancels(server, (runIds) => asked.push(...runIds));
});
afterEach(() => void vi.useRealTimers());

test("one run is canceled after the time in which it can be undone", async () => {
  cancels.soon("r1");
  await vi.advanceTimersByTimeAsync(UNDO_MS - 1);
  expect([canceled(), [...cancels.pending.value]]).toEqual([[], ["r1"]]);

  await vi.advanceTimersByTimeAsync(1);

  expect([canceled(), [...cancels.pending.value], asked]).toEqual([["r1"], [], ["r1"]]);
});

test("an undone cancel is never asked for", async () => {
  cancels.soon("r1");
  cancels.undo("r1");
  await vi.advanceTimersByTimeAsync(2 * UNDO_MS);

  expect([canceled(), [...cancels.pending.value]]).toEqual([[], []]);
});

test("leaving the page does not take a cancel back", () => {
  cancels.soon("r1");
  cancels.stop();

  expect(canceled()).toEqual(["r1"]);
});

test("many are asked for some at a time, and one refusal does not stop the others", async () => {
  server.reply = (op) =>
    op.op === "cancel" && op.run_id === "r3"
      ? Promise.reject({ code: "RUN_NOT_FOUND", detail: "" })
      : Promise.resolve({});
  const runs = Array.from({ length: 120 }, (_, n) => `r${n}`);

  const done = cancels.now(runs);
  expect([server.calls.length, cancels.progress.value]).toEqual([50, { done: 0, of: 120 }]);
  await done;

  expect([canceled(), cancels.progress.value, cancels.error.value?.code]).toEqual([runs, null, "RUN_NOT_FOUND"]);
});
