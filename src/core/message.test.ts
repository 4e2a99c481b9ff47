import { describe, expect, test } from "vitest";
import { repairHistory, textOf, toolUsesOf, type Message } from "./message.ts";

const ASK: Message = { role: "user", content: "what time is it?" };
const ANSWER: Message = { role: "assistant", content: "noon" };

describe("repairHistory", () => {
  test("a history in order comes back as it is", () => {
    const history = [ASK, uses("a", "b"), results("b", "a"), ANSWER, ASK];

    expect(repairHistory(history)).toEqual(history);
    expect(repairHistory([])).toEqual([]);
  });

  test("a tool call without a result is answered with an error before the next message", () => {
    expect(repairHistory([ASK, uses("a"), ASK])).toEqual([ASK, uses("a"), interrupted("a"), ASK]);
  });

  test("of several tool calls only those without a result are answered", () => {
    const repaired = repairHistory([ASK, uses("a", "b", "c"), results("b"), ANSWER]);

    expect(repaired).toEqual([ASK, uses("a", "b", "c"), interrupted("a", "c"), results("b"), ANSWER]);
  });

  test("every gap is filled, not only the first", () => {
    const repaired = repairHistory([ASK, uses("a"), ASK, uses("b"), ASK]);

    expect(repaired).toEqual([ASK, uses("a"), interrupted("a"), ASK, uses("b"), interrupted("b"), ASK]);
  });

  test("a result that comes too late answers nothing", () => {
    const repaired = repairHistory([uses("a"), ASK, results("a")]);

    expect(repaired.slice(0, 2)).toEqual([uses("a"), interrupted("a")]);
  });

  test("tool calls of the last message stay open: they are what the run does next", () => {
    expect(repairHistory([ASK, uses("a")])).toEqual([ASK, uses("a")]);
  });

  test("the history it is given is not changed", () => {
    const history = Object.freeze([ASK, uses("a"), ASK]);

    repairHistory(history);

    expect(history).toEqual([ASK, uses("a"), ASK]);
  });
});

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

function interrupted(...ids: string[]): Message {
  const content = "The run ended before this tool finished.";
  return {
    role: "user",
    content: ids.map((id) => ({ type: "tool_result", tool_use_id: id, content, is_error: true })),
  };
}
