import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Waterfall } from "./waterfall.ts";
import { whySlow } from "./why-slow.ts";
import type { WireEvent } from "./wire-event.ts";

function journal(name: string): WireEvent[] {
  const lines = readFileSync(`${import.meta.dirname}/fixtures/${name}.jsonl`, "utf8")
    .trim()
    .split("\n");
  return lines.map((line) => JSON.parse(line) as WireEvent);
}

function fallOf(events: readonly WireEvent[]): Waterfall {
  const waterfall = new Waterfall();
  for (const event of events) waterfall.apply(event);
  return waterfall;
}

const kinds = ({ segments }: Waterfall) => segments.map(({ kind }) => kind);
const sumOf = (waterfall: Waterfall, now = 0) => Object.values(waterfall.sums(now)).reduce((sum, ms) => sum + ms, 0);

/** Events at the given times, in seconds after the run's start. */
function at(seconds: number, event: object): WireEvent {
  return { ...event, timestamp: 1_000_000 + seconds * 1_000 } as WireEvent;
}
const custom = (name: string, value: object) => ({ type: "CUSTOM", name: `evenkeel.${name}`, value });
const step = (type: "STARTED" | "FINISHED", stepName = "model") => ({ type: `STEP_${type}`, stepName });
const text = { type: "TEXT_MESSAGE_CONTENT", messageId: "m", delta: "x" };
const START = { type: "RUN_STARTED", threadId: "t", runId: "r" };
const CLAIMED = custom("claimed", { owner: "agent-1-1", attempt: 1 });
const DONE = { type: "RUN_FINISHED", threadId: "t", runId: "r" };

test("to make a conversation shorter takes its own time, and ends before the model is asked", () => {
  const waterfall = fallOf([
    at(0, START),
    at(1, CLAIMED),
    at(1, step("STARTED", "compact")),
    at(4, custom("compacted", { title: "The oldest turns were summarized" })),
    at(4, step("FINISHED", "compact")),
    at(4, step("STARTED")),
    at(5, text),
    at(6, step("FINISHED")),
    at(6, DONE),
  ]);
  expect(kinds(waterfall)).toEqual(["queued", "compacting", "first_token", "generating"]);
  expect(waterfall.sums(0)).toMatchObject({ compacting: 3_000, tool: 0 });
  expect(whySlow(waterfall, 0)).toContain("3.0 s shortening the conversation");
});

describe("real journals", () => {
  test("a tool stands between two model calls", () => {
    expect(kinds(fallOf(journal("tool")))).toEqual([
      "queued",
      "first_token",
      "generating",
      "tool",
      "first_token",
      "generating",
    ]);
  });

  test("retries wait, with their reason", () => {
    const waterfall = fallOf(journal("retry"));
    const waits = waterfall.segments.filter(({ kind }) => kind === "rate_limit");
    expect(waits.map(({ reason }) => reason?.includes("529"))).toEqual([true, true]);
    expect(waterfall.sums(0).rate_limit).toBeGreaterThan(2_000);
    expect(whySlow(waterfall, 0)).toMatch(/^\d\.\d s: .*2\.\d s waiting for an overloaded model/);
  });

  test("what broke off counts as generated for nothing, but for the last try", () => {
    const waterfall = fallOf(journal("cut"));
    expect(waterfall.segments.filter(({ isVoid }) => isVoid)).toHaveLength(3);
    expect(whySlow(waterfall, 0)).toContain("of it for nothing");
  });

  test("after a crash the run is in the queue again", () => {
    const waterfall = fallOf(journal("crash"));
    expect(kinds(waterfall)).toEqual(["queued", "first_token", "generating", "queued", "first_token", "generating"]);
    expect(waterfall.segments[3]).toMatchObject({ reason: "its process died" });
    expect(waterfall.segments[2]?.isVoid).toBe(true);
  });

  test("what the model thinks is not what it writes", () => {
    expect(kinds(fallOf(journal("think")))).toEqual(["queued", "first_token", "thinking", "generating"]);
  });

  test.each(["tool", "toolerr", "retry", "cut", "bad", "crash", "cancel", "think"])(
    "in %s every segment ends, in order, and the sums are the whole but for moments between steps",
    (name) => {
      const waterfall = fallOf(journal(name));
      const total = waterfall.totalMs(0);
      expect(waterfall.segments.every(({ start, end }) => end !== null && end >= start)).toBe(true);
      const starts = waterfall.segments.map(({ start }) => start);
      expect(starts).toEqual(starts.toSorted((a, b) => a - b));
      expect(sumOf(waterfall)).toBeLessThanOrEqual(total);
      expect(total - sumOf(waterfall)).toBeLessThan(150);
    },
  );
});

describe("sums", () => {
  test("parallel tools count once, and each has its own bar", () => {
    const waterfall = fallOf([
      at(0, START),
      at(1, CLAIMED),
      at(1, step("STARTED", "tool:a:1")),
      at(2, step("STARTED", "tool:b:2")),
      at(4, step("FINISHED", "tool:a:1")),
      at(5, step("FINISHED", "tool:b:2")),
      at(5, DONE),
    ]);
    expect(waterfall.sums(0)).toMatchObject({ queued: 1_000, tool: 4_000 });
    expect(waterfall.segments.slice(1).map(({ label }) => label)).toEqual(["a", "b"]);
  });

  test("a tool is called by the name of its call, whatever its step is called", () => {
    const call = { type: "TOOL_CALL_START", toolCallId: "1:2", toolCallName: "calc" };
    const waterfall = fallOf([at(0, START), at(0, CLAIMED), at(0, call), at(1, step("STARTED", "tool:calc:1:2"))]);
    expect(waterfall.segments.at(-1)?.label).toBe("calc");
  });

  test("the open segment of a live run grows with the clock, and never shrinks below the newest event", () => {
    const waterfall = fallOf([at(0, START), at(1, CLAIMED), at(1, step("STARTED")), at(2, text)]);
    expect(waterfall.segments.at(-1)).toMatchObject({ kind: "generating", end: null });
    expect(waterfall.sums(1_000_000 + 5_000).generating).toBe(3_000);
    waterfall.apply(at(4, text));
    expect(waterfall.sums(0).generating).toBe(2_000);
  });

  test("a parked run is parked until its next step", () => {
    const waterfall = fallOf([
      at(0, START),
      at(0, CLAIMED),
      at(1, custom("waiting", { reason: "delegated" })),
      at(9, step("STARTED")),
    ]);
    expect(waterfall.sums(0).parked).toBe(8_000);
  });

  test("a process that dies in a tool ends the tool's bar", () => {
    const waterfall = fallOf([
      at(0, START),
      at(0, CLAIMED),
      at(0, step("STARTED", "tool:a:1")),
      at(3, custom("attempt", { of: "run", attempt: 2, reason: "its process died", void: [] })),
    ]);
    expect(waterfall.sums(0)).toMatchObject({ tool: 3_000, queued: 0 });
  });

  test("clocks that go backwards make no negative times", () => {
    const waterfall = fallOf([at(5, START), at(3, CLAIMED), at(2, step("STARTED")), at(1, text), at(0, DONE)]);
    expect(Object.values(waterfall.sums(0)).every((ms) => ms >= 0)).toBe(true);
    expect(waterfall.totalMs(0)).toBe(0);
  });
});

const slow = (reason: string) => [
  at(0, START),
  at(0, CLAIMED),
  at(0, step("STARTED")),
  at(0, custom("attempt", { of: "model_call", attempt: 2, reason, void: [] })),
  at(0.9, step("STARTED")),
  at(1.1, text),
  at(4.2, step("FINISHED")),
  at(4.2, DONE),
];

const delegated = (id: string, agentId = "researcher") =>
  custom("waiting", { reason: `delegated to ${agentId}`, tool_call_id: id, run_id: `run_${id}`, agent_id: agentId });
const result = (toolCallId: string) => ({ type: "TOOL_CALL_RESULT", messageId: "m", toolCallId, content: "x" });

describe("delegated calls", () => {
  test("wait instead of work: from the call to its result the run is parked", () => {
    const waterfall = fallOf([
      at(0, START),
      at(0, CLAIMED),
      at(1, step("STARTED", "tool:delegate:1")),
      at(1.01, delegated("1")),
      at(4, result("1")),
      at(4, step("FINISHED", "tool:delegate:1")),
      at(4, step("STARTED")),
      at(5, DONE),
    ]);
    expect(kinds(waterfall)).toEqual(["queued", "parked", "first_token"]);
    expect(waterfall.segments[1]).toMatchObject({ label: "Delegated to researcher", end: 1_004_000 });
    expect(waterfall.sums(0)).toMatchObject({ tool: 0, parked: 3_000 });
    expect(whySlow(waterfall, 0)).toContain("3.0 s parked for delegated runs");
  });

  test("a moment counts for the tool that works in it, and as parked only when none does", () => {
    const waterfall = fallOf([
      at(0, START),
      at(0, CLAIMED),
      at(0, step("STARTED", "tool:delegate:1")),
      at(0, step("STARTED", "tool:delegate:2")),
      at(0, delegated("1")),
      at(0, delegated("2", "analyst")),
      at(1, step("STARTED", "tool:calc:3")),
      at(3, step("FINISHED", "tool:calc:3")),
      at(5, result("1")),
      at(8, result("2")),
      at(8, DONE),
    ]);
    expect(waterfall.sums(0)).toMatchObject({ tool: 2_000, parked: 6_000 });
    expect(sumOf(waterfall)).toBe(waterfall.totalMs(0));
    const lengths = waterfall.segments.slice(1).map(({ label, start, end }) => [label, (end ?? 0) - start]);
    expect(lengths).toEqual([
      ["Delegated to researcher", 5_000],
      ["Delegated to analyst", 8_000],
      ["calc", 2_000],
    ]);
  });

  test("one that still waits grows with the clock, and the end of the run ends it", () => {
    const waterfall = fallOf([at(0, START), at(0, CLAIMED), at(1, delegated("1"))]);
    expect(waterfall.sums(1_000_000 + 4_000)).toMatchObject({ tool: 0, parked: 3_000 });
    waterfall.apply(at(5, DONE));
    expect(waterfall.sums(1_000_000 + 9_000).parked).toBe(4_000);
    expect(waterfall.segments.at(-1)?.end).toBe(1_005_000);
  });

  test("its step may end and begin again in another process: it waits for its result all the same", () => {
    const waterfall = fallOf([
      at(0, START),
      at(0, CLAIMED),
      at(0, step("STARTED", "tool:delegate:1")),
      at(0, delegated("1")),
      at(1, step("FINISHED", "tool:delegate:1")),
      at(3, CLAIMED),
      at(3, step("STARTED", "tool:delegate:1")),
      at(3, delegated("1")),
      at(4, result("1")),
      at(4, DONE),
    ]);
    expect(kinds(waterfall)).toEqual(["queued", "parked"]);
    expect(waterfall.sums(0)).toMatchObject({ tool: 0, parked: 4_000 });
  });

  test("a process that dies ends its bar, and the next one goes on waiting", () => {
    const waterfall = fallOf([
      at(0, START),
      at(0, CLAIMED),
      at(0, step("STARTED", "tool:delegate:1")),
      at(0, delegated("1")),
      at(2, custom("attempt", { of: "run", attempt: 2, reason: "its process died", void: [] })),
      at(3, CLAIMED),
      at(3, step("STARTED", "tool:delegate:1")),
      at(5, result("1")),
      at(5, DONE),
    ]);
    expect(kinds(waterfall)).toEqual(["queued", "parked", "queued", "parked"]);
    expect(waterfall.sums(0)).toMatchObject({ tool: 0, queued: 1_000, parked: 4_000 });
  });

  test("beside a run that was parked for another reason the sentence says no more than parked", () => {
    const parked = custom("waiting", { reason: "a rate limit" });
    const events = [
      at(0, START),
      at(0, CLAIMED),
      at(0, delegated("1")),
      at(2, result("1")),
      at(2, parked),
      at(4, DONE),
    ];
    expect(whySlow(fallOf(events), 0)).toBe("4.0 s: 4.0 s parked");
  });
});

describe("the answer in one line", () => {
  test("names the longest first, and why it waited", () => {
    expect(whySlow(fallOf(slow("the model answered 429: slow down")), 0)).toBe(
      "4.2 s: 3.1 s generating, 900 ms waiting for a rate limit, 200 ms waiting for the first token",
    );
    expect(whySlow(fallOf(slow("the answer broke off")), 0)).toContain("900 ms waiting to try again");
  });

  test("of a run that has just come is its age", () => {
    expect(whySlow(fallOf([at(0, START)]), 1_000_000 + 2_000)).toBe("2.0 s: 2.0 s in the queue");
    expect(whySlow(new Waterfall(), 0)).toBe("0 ms");
  });
});

test("a journal whose beginning is gone begins with what is left of it", () => {
  const gap = custom("gap", { after: 0, next: 90 }) as WireEvent;
  const waterfall = fallOf([gap, at(60, step("STARTED")), at(61, text), at(63, step("FINISHED")), at(63, DONE)]);
  expect([waterfall.totalMs(0), whySlow(waterfall, 0)]).toEqual([
    3_000,
    "3.0 s: 2.0 s generating, 1.0 s waiting for the first token",
  ]);
});
