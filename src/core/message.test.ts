import { expect, test } from "vitest";
import { textOf, toolUsesOf, type Message } from "./message.ts";

const ANSWER: Message = { role: "assistant", content: "noon" };

test("the text of a message is its text blocks joined, without thinking and tools", () => {
  const message: Message = {
    role: "assistant",
    content: [
      { type: "thinking", thinking: "hm", signature: "x" },
      { type: "text", text: "It is " },
      { type: "tool_use", id: "a", name: "clock", input: {} },
      { type: "text", text: "noon." },
    ],
  };

  expect(textOf(message)).toBe("It is noon.");
  expect(textOf(ANSWER)).toBe("noon");
});

test("only an assistant's blocks are tool calls", () => {
  expect(toolUsesOf(uses("a", "b")).map(({ id }) => id)).toEqual(["a", "b"]);
  expect(toolUsesOf(results("a"))).toEqual([]);
  expect(toolUsesOf({ ...uses("a"), role: "user" })).toEqual([]);
  expect(toolUsesOf(ANSWER)).toEqual([]);
});

function uses(...ids: string[]): Message {
  return { role: "assistant", content: ids.map((id) => ({ type: "tool_use", id, name: "clock", input: {} })) };
}

function results(...ids: string[]): Message {
  return { role: "user", content: ids.map((id) => ({ type: "tool_result", tool_use_id: id, content: "noon" })) };
}
