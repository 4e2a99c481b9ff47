import { expect, test } from "vitest";
import type { Message } from "../../core/message.ts";
import { repeats, unsentTurn, type Judged } from "./unsent.ts";

const user = (content: string): Message => ({ role: "user", content });

const FAILED: Judged = {
  status: "failed",
  finishReason: null,
  errorCode: "MODEL_UNAVAILABLE",
  attempts: 1,
  messages: [user("hello")],
};

test.each<[Partial<Judged>, string | undefined]>([
  [{}, undefined],
  [{ status: "completed", errorCode: null, finishReason: "stop" }, undefined],
  [{ superseded: true, retried: true }, "superseded"],
  [{ retried: true, errorCode: "MODEL_REJECTED" }, "retried"],
  [{ status: "canceled", errorCode: null, attempts: 0 }, "withdrawn"],
  [{ status: "canceled", errorCode: null, attempts: 1 }, undefined],
  [{ status: "completed", errorCode: null, finishReason: "refusal" }, "refused"],
  [{ errorCode: "MODEL_REJECTED" }, "rejected"],
  [{ errorCode: "CONTEXT_TOO_LARGE" }, "too_large"],
])("a turn with %j is not sent because it is: %s", (fields, expected) => {
  expect(unsentTurn({ ...FAILED, ...fields })).toBe(expected);
});

test.each<[string, Partial<Judged> | undefined, boolean]>([
  ["the failed turn before begins with the same message", {}, true],
  ["there is no turn before", undefined, false],
  ["the turn before was answered", { status: "completed", errorCode: null }, false],
  ["the turn before is not sent itself", { errorCode: "MODEL_REJECTED" }, false],
  ["the turn before begins with another message", { messages: [user("hallo")] }, false],
  ["the turn before has no message", { messages: [] }, false],
  ["the turn before begins with a word of the model", { messages: [{ role: "assistant", content: "hello" }] }, false],
])("when %s, a turn repeats it: %j %s", (_, before, expected) => {
  expect(repeats(FAILED, before && { ...FAILED, ...before })).toBe(expected);
});
