import { expect, test } from "vitest";
import { FakeServices } from "../../live/fake-services.ts";
import { LiveRun } from "../../run-view/live-run.ts";
import { answeringOf, isBehind, type Turn } from "./turn.ts";

function turn(fields: Partial<Turn>): Turn {
  const blank = {
    asked: [{ type: "text", text: "?" }],
    agentId: "a",
    live: null,
    stored: [],
    end: null,
    row: null,
    unsent: null,
  } as const;
  return { ...blank, runId: "r", sending: null, strategy: "enqueue", ...fields };
}

const live = (runId: string) => new LiveRun(new FakeServices().live, runId);

test("the turn that is answered is the oldest that is not over; what follows it waits", () => {
  const stopped = turn({ live: live("r1"), end: { status: "canceled", reason: "canceled", error: null } });
  const [first, second] = [turn({ live: live("r2") }), turn({ sending: "sending" })];
  const turns = [turn({}), stopped, first, second];

  expect(answeringOf(turns)).toBe(first);
  expect(turns.map((each) => isBehind(turns, each))).toEqual([false, false, false, true]);
});

test("a message that was refused is not answered", () => {
  expect(answeringOf([turn({ sending: { code: "OVERLOADED", detail: "later" } })])).toBeUndefined();
});
