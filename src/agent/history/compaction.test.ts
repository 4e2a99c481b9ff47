import { expect, test } from "vitest";
import type { Message } from "../../core/message.ts";
import type { Turn } from "../../engine/engine.ts";
import { before, compactionOf, planCut, taskBehind } from "./compaction.ts";

const NOTHING = { from: 0, clearedBefore: 0 };
const ASK: Message = { role: "user", content: "a".repeat(100) };
const USE: Message = { role: "assistant", content: [{ type: "tool_use", id: "t", name: "read", input: {} }] };
const RESULT: Message = {
  role: "user",
  content: [{ type: "tool_result", tool_use_id: "t", content: "r".repeat(1_000) }],
};
const ANSWER: Message = { role: "assistant", content: "b".repeat(100) };
/** 4 messages, about 1,250 characters. */
const TURN = [ASK, USE, RESULT, ANSWER];

test.each([
  { name: "what fits is left alone", turns: [TURN, TURN], characters: 3_000, cut: NOTHING },
  {
    name: "the oldest results are cleared first, as few as it takes",
    turns: [TURN, TURN, TURN],
    characters: 3_000,
    cut: { from: 0, clearedBefore: 3 },
  },
  { name: "the newest results stay", turns: [TURN, TURN, TURN], characters: 1_900, cut: { from: 0, clearedBefore: 7 } },
  {
    name: "then the oldest turns go, as many kept as may be",
    turns: [TURN, TURN, TURN, TURN],
    characters: 1_700,
    cut: { from: 8, clearedBefore: 11 },
  },
  {
    name: "and all but the last when it takes that",
    turns: [TURN, TURN, TURN, TURN],
    characters: 1_300,
    cut: { from: 12, clearedBefore: 11 },
  },
  {
    name: "of one turn the oldest calls go",
    turns: [[ASK, USE, RESULT, USE, RESULT, USE, RESULT]],
    characters: 1_160,
    cut: { from: 3, clearedBefore: 5 },
  },
  { name: "what cannot be shorter is left alone", turns: [[ASK]], characters: 10, cut: undefined },
])("$name", ({ turns, characters, cut }) => {
  expect(planCut(turns.map(turn), NOTHING, { characters, keepTurns: 2 })).toEqual(cut);
});

test("what is left out already is not counted again", () => {
  const turns = [TURN, TURN, TURN].map(turn);

  expect(planCut(turns, { from: 8, clearedBefore: 8 }, { characters: 1_400, keepTurns: 2 })).toEqual({
    from: 8,
    clearedBefore: 8,
  });
});

test("a cut within the last turn keeps what the user asked for", () => {
  const turns = [TURN, [ASK, USE, RESULT, USE, RESULT]].map(turn);

  expect(taskBehind(turns, 4)).toBeUndefined();
  expect(taskBehind(turns, 7)).toBe(ASK.content);
});

test("what is before a place is cut within its turn", () => {
  expect(before([TURN, TURN].map(turn), 6).map(({ messages }) => messages)).toEqual([TURN, [ASK, USE]]);
});

function turn(messages: readonly Message[]): Turn {
  return {
    runId: "run",
    agentId: "assistant",
    status: "completed",
    finishReason: null,
    errorCode: null,
    attempts: 1,
    steps: 0,
    messages,
    toolCalls: [],
  };
}

test("the newest marker counts, and none of a turn that was superseded", () => {
  const turns = [{ messages: [ASK, marker(1)] }, { messages: [ASK, marker(2)], superseded: true }] as unknown as Turn[];

  expect(compactionOf(turns)).toMatchObject({ from: 1 });
  expect(compactionOf(turns.slice(1))).toBeUndefined();
});

/** A compaction marker: only messages from place `from` on are sent. */
function marker(from: number): Message {
  return { role: "user", content: [], compaction: { from } } as unknown as Message;
}
