import { expect, test } from "vitest";
import type { Message, StoredMessage } from "../core/message.ts";
import { runOfQuestion, uiMessagesOf, type UiMessagesOptions } from "./ai-sdk-messages.ts";

const OPTIONS: UiMessagesOptions = { underWay: new Set(), resumed: undefined, mediaTypes: new Map(), basePath: "" };

function stored(runId: string, ...messages: readonly Message[]): StoredMessage[] {
  return messages.map((message) => ({ ...message, run_id: runId, at: 1 }));
}

const user = (content: Message["content"], more: Partial<Message> = {}): Message => ({
  role: "user",
  content,
  ...more,
});
const assistant = (content: Message["content"]): Message => ({ role: "assistant", content });
const CALL = assistant([{ type: "tool_use", id: "c", name: "look", input: {} }]);
const RESULT = user([{ type: "tool_result", tool_use_id: "c", content: "seen" }]);
const COMPACTION = { model: "m", budget: 1, from: 1, cleared_before: 0 };

/** Ids, and what the parts say in short. */
function shown(messages: readonly StoredMessage[], options: Partial<UiMessagesOptions> = {}) {
  return uiMessagesOf(messages, { ...OPTIONS, ...options }).map(({ id, parts }) => [
    id,
    ...parts.flatMap(({ text, output, errorText }) => text ?? output ?? errorText ?? []),
  ]);
}

test.each([
  ["a note", { note: "Answer now." }],
  ["a compaction", { compaction: COMPACTION }],
])("%s is no message, and does not split the answer", (_, more) => {
  const said = stored("r", user("q"), CALL, RESULT, user([], more), assistant("end"));
  expect(shown(said)).toEqual([
    ["question:r", "q"],
    ["r", "seen", "end"],
  ]);
});

test("a greeting before the first question stays", () => {
  expect(shown(stored("r", assistant("hi"), user("c"), assistant("d")))).toEqual([
    ["r#0", "hi"],
    ["question:r", "c"],
    ["r", "d"],
  ]);
});

test("the turns of a chat that began elsewhere have ids of their own, which name the run", () => {
  const said = shown(stored("r:0", user("a"), assistant("b"), user("c"), assistant("d")));
  expect(said).toEqual([
    ["question:r:0#0", "a"],
    ["r:0#0", "b"],
    ["question:r:0", "c"],
    ["r:0", "d"],
  ]);
  expect(["question:r:0#0", "question:r:0", "m1"].map(runOfQuestion)).toEqual(["r:0", "r:0", undefined]);
});

test("the parts of a run on two pages have different ids", () => {
  expect(shown(stored("r", user("q"), CALL, RESULT), { isCutBehind: true })).toEqual([
    ["question:r#0", "q"],
    ["r#0", "seen"],
  ]);
  expect(shown(stored("r", assistant("end")), { firstIndex: 3 })).toEqual([["r", "end"]]);
});
