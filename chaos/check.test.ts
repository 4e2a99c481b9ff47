/** Breaks each rule, because a checker that finds nothing proves nothing. */
import { expect, test } from "vitest";
import type { ReadEvent } from "../src/testing/journal.ts";
import { brokenRules, type Story, type Truth } from "./check.ts";

const EVENTS = [
  { seq: 1, timestamp: 1, type: "RUN_STARTED", threadId: "t", runId: "r" },
  { seq: 2, timestamp: 1, type: "TEXT_MESSAGE_START", messageId: "m", role: "assistant" },
  { seq: 3, timestamp: 1, type: "TEXT_MESSAGE_CONTENT", messageId: "m", delta: "hello" },
  { seq: 4, timestamp: 1, type: "TEXT_MESSAGE_END", messageId: "m" },
  { seq: 5, timestamp: 1, type: "RUN_FINISHED", threadId: "t", runId: "r" },
] as readonly ReadEvent[];
const SEEN = EVENTS.map((event) => JSON.stringify(event));
const TRUTH: Truth = { status: "completed", errorCode: null, reply: "hello", events: EVENTS };
const STORY: Story = {
  runId: "r",
  message: "hello",
  isCulprit: false,
  isCanceled: false,
  isPlain: true,
  viewings: [{ viewer: "stream 1", seen: SEEN }],
};

function broken({ story = {}, truth = {}, trace = ["pure a"] }: Case): string[] {
  const truths = truth === null ? new Map() : new Map([["r", { ...TRUTH, ...truth }]]);
  return brokenRules([{ ...STORY, ...story }], truths, trace);
}

interface Case {
  readonly story?: Partial<Story>;
  readonly truth?: Partial<Truth> | null;
  readonly trace?: readonly string[];
}

const seqs = (events: readonly object[]) =>
  [EVENTS[0] as object, ...events, EVENTS.at(-1) as object].map((event, index) => ({ ...event, seq: index + 1 }));
const call = [
  { timestamp: 1, type: "TOOL_CALL_START", toolCallId: "c", toolCallName: "pay" },
  { timestamp: 1, type: "TOOL_CALL_END", toolCallId: "c" },
];
const result = { timestamp: 1, type: "TOOL_CALL_RESULT", messageId: "n", toolCallId: "c", content: "paid" };
const attempt = (voided: string[]) => {
  const value = { of: "model_call", attempt: 2, reason: "it broke off", void: voided };
  return { timestamp: 1, type: "CUSTOM", name: "evenkeel.attempt", value };
};
/** A run whose reply is not looked at, with these events between its first and its last. */
const withEvents = (...events: readonly object[]): Case => ({
  story: { isPlain: false, viewings: [] },
  truth: { events: seqs(events) as unknown as readonly ReadEvent[] },
});

const SOUND: [string, Case][] = [
  ["a run that was seen as it is", {}],
  ["a culprit that failed", { story: { isCulprit: true }, truth: { status: "failed", errorCode: "POISONED" } }],
  ["one that its client canceled", { story: { isCanceled: true }, truth: { status: "canceled" } }],
  [
    "a pure tool that ran twice, and unsafe ones that ran once",
    { trace: ["pure a", "pure a", "unsafe b", "unsafe c"] },
  ],
  ["two calls of one id, with a result each", withEvents(...call, result, ...call, result)],
  ["a call that came anew in a new attempt", withEvents(...call, result, attempt(["c"]), ...call, result)],
  ["a call without a result", withEvents(...call)],
];
test.each(SOUND)("%s breaks no rule", (_what, story) => {
  expect(broken(story)).toEqual([]);
});

const BROKEN: [string, Case, RegExp][] = [
  ["a run that is lost", { truth: null }, /is not there/],
  ["one that never ends", { truth: { status: "running" } }, /still running/],
  ["an innocent that failed", { truth: { status: "failed", errorCode: "RUN_TIMEOUT" } }, /failed with RUN_TIMEOUT/],
  ["one that nobody canceled", { truth: { status: "canceled" } }, /canceled by nobody/],
  ["a hole in the journal", { truth: { events: EVENTS.toSpliced(2, 1) } }, /seq 4 follows 2/],
  ["a second end", { truth: { events: [...EVENTS, { ...EVENTS[4], seq: 6 } as ReadEvent] } }, /2 terminal events/],
  ["a second result", withEvents(...call, result, result), /answers c, which .* has its result already/],
  ["one after another attempt", withEvents(...call, result, attempt([]), result), /answers c/],
  ["one of a void call", withEvents(...call, attempt(["c"]), result), /answers c/],
  ["a result of no call", withEvents(result), /answers c, which never began/],
  ["a reply that nobody streamed", { truth: { reply: "good bye" } }, /not what was streamed/],
  ["a viewer that missed one", { story: { viewings: [{ viewer: "a", seen: SEEN.toSpliced(2, 1) }] } }, /seen by a/],
  ["a viewer that missed the end", { story: { viewings: [{ viewer: "a", seen: SEEN.slice(0, 4) }] } }, /event 5/],
  ["one that saw more", { story: { viewings: [{ viewer: "a", seen: [...SEEN, "x"] }] } }, /beyond its end/],
  ["an unsafe tool that ran twice", { trace: ["unsafe a", "unsafe b", "unsafe a"] }, /more than once: unsafe a/],
  ["a run with tools that left no trace", { story: { isPlain: false }, trace: [] }, /no tool left a trace/],
];
test.each(BROKEN)("%s is found", (_what, story, expected) => {
  expect(broken(story).join("\n")).toMatch(expected);
});

test("a load of which no run was acknowledged proves nothing", () => {
  expect(brokenRules([], new Map(), [])).toEqual(["no run was acknowledged, so no rule was checked"]);
});
