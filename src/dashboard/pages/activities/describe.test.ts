import { expect, test } from "vitest";
import { ACTIVITY_TYPES, type Activity } from "../../../core/activity.ts";
import { describeActivity } from "./describe.ts";
import { readFilter, writeFilter } from "./filter.ts";

const of = (type: Activity["type"], detail: Activity["detail"] = {}) =>
  describeActivity({ seq: 1, at: 1, type, agent_id: null, thread_id: null, run_id: null, detail });

test("every type has words, whatever its detail holds", () => {
  for (const type of ACTIVITY_TYPES) {
    expect(of(type).title).not.toBe("");
    expect(of(type, { attempt: "x", tool: null, message: 5 }).title).not.toBe("");
  }
});

test("failures say their code and reason, retries their number", () => {
  expect(of("run.failed", { code: "STEP_LIMIT", message: "too many" })).toMatchObject({
    detail: "STEP_LIMIT: too many",
  });
  expect(of("run.retried", { attempt: 2, reason: "529" })).toMatchObject({ detail: "attempt 2: 529" });
  expect(of("tool.finished", { tool: "calc", is_error: true })).toMatchObject({ tone: "bad", detail: "failed" });
});

test("an end says what the run was about, how long it took and what it used", () => {
  const detail = { title: "Sum up", duration_ms: 2_100, input_tokens: 349, output_tokens: 61 };

  expect(of("run.completed", detail)).toMatchObject({ about: "Sum up", detail: "2.1 s · 349 → 61 tokens" });
});

test("a filter goes through the URL and back; what is no position is left out", () => {
  const filter = { agent: "a", thread: "", type: "notice", before: 7 };
  expect(readFilter(new URLSearchParams(writeFilter(filter)))).toEqual(filter);
  expect(readFilter(new URLSearchParams("before=x"))).toMatchObject({ before: null });
});
