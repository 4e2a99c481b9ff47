/** Views of journals that a real server wrote. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { RunView } from "./run-view.ts";
import { kinds, only, toolOf, viewOf } from "./view-of.ts";
import { readEvent, type WireEvent } from "./wire-event.ts";

/** A journal that a real server wrote. */
function journal(name: string): WireEvent[] {
  const lines = readFileSync(`${import.meta.dirname}/fixtures/${name}.jsonl`, "utf8")
    .trim()
    .split("\n");
  return lines.flatMap((line) => readEvent(JSON.parse(line)) ?? []);
}

function until(events: readonly WireEvent[], isLast: (event: WireEvent) => boolean): WireEvent[] {
  return events.slice(0, events.findIndex(isLast) + 1);
}

test("a tool call has its arguments, its result and its times, between the words around it", () => {
  const view = viewOf(journal("tool"));
  expect(kinds(view)).toEqual(["text", "tool", "text"]);
  expect(toolOf(view)).toMatchObject({ name: "calculate", args: '{"expression":"2+3"}', result: "5", state: "done" });
  expect(toolOf(view)?.endedAt).toBeGreaterThanOrEqual(toolOf(view)?.startedAt ?? Number.NaN);
  expect(only(view, "text").map(({ text }) => text)).toEqual([
    "I will call calculate.",
    "The tool calculate answered: 5",
  ]);
  expect(view).toMatchObject({ status: "completed", modelCalls: 2, agentId: "assistant" });
  expect(view.end).toMatchObject({ status: "completed", error: null });
  expect(view.usage).toMatchObject({ input_tokens: 339, output_tokens: 17 });
});

test("a tool call goes from writing over ready and running to done", () => {
  const view = new RunView();
  const seen: string[] = [];
  for (const event of journal("tool")) {
    view.apply(event);
    const state = toolOf(view)?.state;
    if (state && state !== seen.at(-1)) seen.push(state);
  }
  expect(seen).toEqual(["writing", "ready", "running", "done"]);
});

test("a tool whose result is an error has failed", () => {
  expect(toolOf(viewOf(journal("toolerr")))?.state).toBe("failed");
});

test("retries before the first word leave no void items, and say why and how long they wait", () => {
  const view = viewOf(journal("retry"));
  expect(kinds(view)).toEqual(["attempt", "attempt", "text"]);
  const [first] = only(view, "attempt");
  expect(first).toMatchObject({ of: "model_call", attempt: 2, voided: 0 });
  expect(first?.reason).toContain("529");
  expect(first?.waitMs).toBeGreaterThanOrEqual(1_000);
});

test("answers that broke off are void, all but the last, which failed with the run", () => {
  const view = viewOf(journal("cut"));
  expect(only(view, "text").map(({ isVoid }) => isVoid)).toEqual([true, true, true, false]);
  expect(view.end).toMatchObject({ status: "failed", error: { code: "MODEL_UNAVAILABLE" } });
});

test("after a crash the run is queued until another process claims it, and what it said is void", () => {
  const events = journal("crash");
  const crashed = viewOf(until(events, (event) => event.type === "CUSTOM" && event.name === "evenkeel.attempt"));
  expect(crashed.status).toBe("queued");
  const view = viewOf(events);
  expect(view.claims.map(({ attempt }) => attempt)).toEqual([1, 2]);
  expect(only(view, "text").map(({ isVoid }) => isVoid)).toEqual([true, false]);
  expect(only(view, "attempt")[0]).toMatchObject({ of: "run", reason: "its process died", voided: 1 });
  expect(view.status).toBe("completed");
});

test("a canceled run is over and keeps what it said", () => {
  const view = viewOf(journal("cancel"));
  expect(view).toMatchObject({ status: "canceled", end: { status: "canceled", error: null } });
  expect(only(view, "text")[0]).toMatchObject({ isOpen: false, isVoid: false });
});

test("a refused request shows its code", () => {
  expect(viewOf(journal("bad")).end).toMatchObject({ status: "failed", error: { code: "MODEL_REJECTED" } });
});

test("thoughts come apart from words, with the time they took", () => {
  const view = viewOf(journal("think"));
  expect(kinds(view)).toEqual(["reasoning", "text"]);
  const [thought] = only(view, "reasoning");
  expect(thought?.text).toMatch(/^thought1 .*thought50$/);
  expect((thought?.endedAt ?? 0) - (thought?.at ?? 0)).toBeGreaterThan(500);
});

test("applied again from the start, as after a reconnect, it changes nothing", () => {
  const events = journal("crash");
  const view = viewOf(events);
  const before = structuredClone(view.items);
  for (const event of events) view.apply(event);
  expect(view.items).toEqual(before);
  expect(only(view, "text")[1]?.text).toMatch(/tok100$/);
});

test("at every cut the view is that of the same events applied at once", () => {
  const events = journal("tool");
  const growing = new RunView();
  events.forEach((event, index) => {
    growing.apply(event);
    expect(growing.items).toEqual(viewOf(events.slice(0, index + 1)).items);
  });
});
