import { expect, test } from "vitest";
import type { StoredMessage } from "../../../core/message.ts";
import { turnsOf } from "./turn.ts";

const at = 1;

test("a stored turn shows its words, thoughts and tool calls in order, results with their call", () => {
  const messages: StoredMessage[] = [
    { role: "user", content: "ask", run_id: "r", at },
    {
      role: "assistant",
      run_id: "r",
      at,
      content: [
        { type: "thinking", thinking: "hm", signature: "s" },
        { type: "text", text: "I will look." },
        { type: "tool_use", id: "c1", name: "look", input: { at: 1 } },
        { type: "tool_use", id: "c2", name: "look", input: {} },
        { type: "tool_use", id: "c3", name: "look", input: {} },
      ],
    },
    {
      role: "user",
      run_id: "r",
      at,
      content: [
        { type: "tool_result", tool_use_id: "c1", content: "seen" },
        { type: "tool_result", tool_use_id: "c2", content: "dark", is_error: true },
      ],
    },
    { role: "assistant", content: "Done.", run_id: "r", at },
  ];
  const [turn] = turnsOf(messages, []);
  expect(turn?.asked).toEqual([{ type: "text", text: "ask" }]);
  expect(turn?.stored.map((part) => (part.kind === "tool" ? [part.tool.state, part.tool.result] : part.text))).toEqual([
    "hm",
    "I will look.",
    ["done", "seen"],
    ["failed", "dark"],
    ["interrupted", null],
    "Done.",
  ]);
});

test("turns keep the order of their messages, and know how their runs ended", () => {
  const error = { code: "RUN_TIMEOUT", detail: "too long" } as const;
  const runs = [{ run_id: "r2", agent_id: "b", status: "failed", error }] as unknown as Parameters<typeof turnsOf>[1];
  const messages: StoredMessage[] = ["r1", "r2"].map((runId) => ({ role: "user", content: runId, run_id: runId, at }));
  expect(turnsOf(messages, runs)).toMatchObject([
    { runId: "r1", agentId: null, end: null },
    { runId: "r2", agentId: "b", end: { status: "failed", error } },
  ]);
});

test("the pictures and documents of a question stand in it, whoever sent them", () => {
  const parts = [
    { type: "image", source: { type: "url", url: "https://example.com/cat.png" } },
    { type: "text", text: "and" },
    { type: "document", source: { type: "file", file_id: "file_1" } },
  ] as const;
  expect(turnsOf([{ role: "user", content: parts, run_id: "r", at }], [])[0]?.asked).toEqual(parts);
});
