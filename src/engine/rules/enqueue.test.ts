import { expect, test, vi } from "vitest";
import { MAX_DELEGATED_RUNS, MAX_DELEGATION_DEPTH, type NewRun } from "../../core/run.ts";
import { newRun } from "../contract/setup.ts";
import {
  assertAdmitted,
  assertMayDelegate,
  assertOwnShare,
  assertOwnThread,
  canceledBy,
  firstSuperseded,
  isListed,
  repeatOf,
} from "./enqueue.ts";

const FIRST = { fingerprint: "body 1", name: "first" };
const OTHER = { fingerprint: "body 2", name: "other" };

interface RepeatCase {
  readonly what: string;
  readonly request?: Partial<NewRun>;
  readonly byKey?: typeof FIRST;
  readonly byId?: typeof FIRST;
  readonly expected: string;
}

const REPEATS: RepeatCase[] = [
  { what: "a request under no name that is taken", expected: "new" },
  { what: "the same body under a known key", byKey: FIRST, expected: "first" },
  { what: "another body under a known key", byKey: OTHER, expected: "IDEMPOTENCY_MISMATCH" },
  { what: "the same body under a chosen id", request: { runIdChosen: true }, byId: FIRST, expected: "first" },
  { what: "another body under a chosen id", request: { runIdChosen: true }, byId: OTHER, expected: "RUN_ID_TAKEN" },
  { what: "a chosen id that is free", request: { runIdChosen: true }, expected: "new" },
  { what: "an id that nobody chose and another run has", byId: OTHER, expected: "new" },
  { what: "a known key, and an id that nobody chose", byKey: FIRST, byId: OTHER, expected: "first" },
  {
    what: "another body under a known key before an id",
    request: { runIdChosen: true },
    byKey: OTHER,
    byId: FIRST,
    expected: "IDEMPOTENCY_MISMATCH",
  },
  { what: "a known key before an id", request: { runIdChosen: true }, byKey: FIRST, byId: OTHER, expected: "first" },
];

test.each(REPEATS)("$what: $expected", ({ request, byKey, byId, expected }) => {
  expect(outcomeOf(() => repeatOf(newRun(request), byKey, byId)?.name ?? "new")).toBe(expected);
});

test.each([
  [0, 1, "admitted"],
  [9, 10, "admitted"],
  [10, 10, "OVERLOADED"],
  [11, 10, "OVERLOADED"],
])("with %i runs waiting of %i that may: %s", (queued, limit, expected) => {
  expect(outcomeOf(() => assertAdmitted(queued, limit) ?? "admitted")).toBe(expected);
});

test.each([
  ["enqueue", 1, undefined, ""],
  ["enqueue", 3, 2, "2 3"],
  ["enqueue", 2, 3, ""],
  ["reject", 0, undefined, ""],
  ["reject", 1, undefined, "THREAD_BUSY"],
  ["reject", 2, 1, "1 2"],
  ["reject", 2, 2, "THREAD_BUSY"],
  ["reject", 2, 3, "THREAD_BUSY"],
  ["interrupt", 0, undefined, ""],
  ["interrupt", 2, undefined, "1 2"],
  ["interrupt", 3, 2, "1 2 3"],
] as const)("strategy %s with runs up to %s under way, superseded from %s, cancels or says: %s", (...cases) => {
  const [strategy, last, from, expected] = cases;
  const underWay = Array.from({ length: last }, (_, index) => ({ id: String(index + 1), n: index + 1 }));
  const superseded = from === undefined ? undefined : { n: from };
  expect(outcomeOf(() => canceledBy({ strategy, threadId: "thread" }, underWay, superseded).join(" "))).toBe(expected);
});

test("a refusal names the oldest run that makes the thread busy", () => {
  const underWay = [1, 2, 3].map((n) => ({ id: `run ${n}`, n }));

  expect(() => canceledBy({ strategy: "reject", threadId: "thread" }, underWay, { n: 3 })).toThrow(
    "has run run 1 under",
  );
});

test.each([
  [0, 1, "admitted"],
  [1, 2, "admitted"],
  [2, 2, "TOO_MANY_REQUESTS"],
  [3, 2, "TOO_MANY_REQUESTS"],
  [3, undefined, "admitted"],
])("with %i runs of the principal waiting of %s that may: %s", (queued, queuedAtMost, expected) => {
  const limits = queuedAtMost === undefined ? {} : { queuedAtMost };
  const count = vi.fn<() => number>(() => queued);
  expect(outcomeOf(() => assertOwnShare(limits, count) ?? "admitted")).toBe(expected);
  // Where there is no limit, the runs are not even counted.
  expect(count).toHaveBeenCalledTimes(queuedAtMost === undefined ? 0 : 1);
});

test.each([
  [true, undefined, "allowed"],
  [true, "ana", "allowed"],
  [true, "bob", "THREAD_NOT_FOUND"],
  [false, "bob", "allowed"],
])("ana, held to her own threads: %s, in a thread of %s: %s", (onlyOwnThread, owner, expected) => {
  expect(outcomeOf(() => assertOwnThread(newRun({ principal: "ana", onlyOwnThread }), owner) ?? "allowed")).toBe(
    expected,
  );
});

const HERE = { thread_id: "thread", name: "here" };
const ELSEWHERE = { thread_id: "other", name: "elsewhere" };

test.each([
  ["the run that is named", { runId: "a" }, HERE, "here"],
  ["a run of another thread", { runId: "a" }, ELSEWHERE, "RUN_NOT_FOUND"],
  ["no run", { runId: "a" }, undefined, "RUN_NOT_FOUND"],
  ["the run that is named", { runId: "a", orNewest: true }, HERE, "here"],
  ["a run of another thread, or the newest", { runId: "a", orNewest: true }, ELSEWHERE, "newest"],
  ["no run, or the newest", { key: "a", orNewest: true }, undefined, "newest"],
  ["a run of another thread, if any", { key: "a", orNewest: false }, ELSEWHERE, "none"],
  ["no run, if any", { key: "a", orNewest: false }, undefined, "none"],
  ["the run of the key, if any", { key: "a", orNewest: false }, HERE, "here"],
] as const)("superseding %s (%j): %j gives %s", (...[, supersedes, named, expected]) => {
  const found = { named, newest: () => ({ ...HERE, name: "newest" }) };
  expect(outcomeOf(() => firstSuperseded(supersedes, "thread", found)?.name ?? "none")).toBe(expected);
});

test.each([
  ["a client's run", {}, true],
  ["a delegated run", { parentRunId: "parent" }, false],
  ["an ephemeral run", { ephemeral: true }, false],
  ["a job", { agentId: "tool:clock" }, false],
])("lists show the thread of %s %j: %s", (_what, request, expected) => {
  expect(isListed(newRun(request))).toBe(expected);
});

const ROOM = { depth: 1, runs: 1 };
const RUNNING = { status: "running", cancel_requested: false } as const;

test.each([
  ["a running parent", RUNNING, ROOM, "allowed"],
  ["a queued parent, whose agent was just released", { ...RUNNING, status: "queued" }, ROOM, "allowed"],
  ["no parent", undefined, ROOM, "RUN_NOT_FOUND"],
  ["a parent that is over", { ...RUNNING, status: "failed" }, ROOM, "INVALID_REQUEST"],
  ["a parent that is to be canceled", { ...RUNNING, cancel_requested: true }, ROOM, "INVALID_REQUEST"],
  ["the greatest depth", RUNNING, { ...ROOM, depth: MAX_DELEGATION_DEPTH }, "allowed"],
  ["one deeper", RUNNING, { ...ROOM, depth: MAX_DELEGATION_DEPTH + 1 }, "INVALID_REQUEST"],
  ["the last of a family", RUNNING, { ...ROOM, runs: MAX_DELEGATED_RUNS }, "allowed"],
  ["one more", RUNNING, { ...ROOM, runs: MAX_DELEGATED_RUNS + 1 }, "INVALID_REQUEST"],
] as const)("delegation, %s: it is %j at %j: %s", (...[, parent, place, expected]) => {
  expect(outcomeOf(() => assertMayDelegate("parent", parent, () => place) ?? "allowed")).toBe(expected);
});

/** The value that the rule returned, or the code that it threw. */
function outcomeOf(rule: () => string): unknown {
  try {
    return rule();
  } catch (error) {
    return (error as { readonly code: string }).code;
  }
}
