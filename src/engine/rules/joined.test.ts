import { array, assert, constantFrom, property, record, string } from "fast-check";
import { expect, test } from "vitest";
import { journalRow, type RunEvent } from "../../core/event.ts";
import { eventBehind, joinDeltas, type StoredRow } from "./joined.ts";

interface Piece {
  readonly type: "text" | "thinking" | "args" | "step";
  readonly id: string;
  readonly text: string;
}

const pieces = array(
  record({
    type: constantFrom<Piece["type"]>("text", "text", "text", "thinking", "args", "step"),
    id: constantFrom("a", "a", "a", "b"),
    text: string({ unit: "grapheme", maxLength: 5 }),
  }),
  { maxLength: 30 },
);

test("from every position a reader gets each character once, whatever was joined", () => {
  assert(
    property(pieces, (story) => {
      const before = story.map((piece, index) => rowOf(piece, index + 1));
      const after = joinAll(before);
      for (let seq = 0; seq <= before.length; seq += 1) expect(textBehind(seq, after)).toEqual(textBehind(seq, before));
    }),
  );
});

test("numbers skip where deltas were joined, and nowhere else", () => {
  assert(
    property(pieces, (story) => {
      const after = joinAll(story.map((piece, index) => rowOf(piece, index + 1)));
      let expected = 1;
      for (const event of after.map((row) => eventBehind(0, row))) {
        expect(event.first ?? event.seq).toBe(expected);
        expected = event.seq + 1;
      }
      expect(expected).toBe(story.length + 1);
    }),
  );
});

test("a joined row keeps the time of its first delta, and every other field", () => {
  const rows = [1, 2].map((seq): StoredRow => {
    const event = { type: "TEXT_MESSAGE_CONTENT", messageId: "m", delta: `${seq}`, more: true } as RunEvent;
    return { ...journalRow(event, seq, seq * 1_000), joined: null };
  });
  const [joined] = joinDeltas(rows);
  expect(JSON.parse(joined?.data ?? "")).toEqual({
    seq: 2,
    timestamp: 1_000,
    type: "TEXT_MESSAGE_CONTENT",
    messageId: "m",
    delta: "12",
    more: true,
  });
});

test("a long message becomes several rows, none of them much longer than a page", () => {
  const rows = Array.from({ length: 100 }, (_, index) =>
    rowOf({ type: "text", id: "a", text: "x".repeat(1_000) }, index + 1),
  );
  const joined = joinAll(rows);
  expect(joined.map(({ data }) => Math.ceil(data.length / 1_000))).toEqual([18, 18, 18, 18, 18, 16]);
});

function rowOf({ type, id, text }: Piece, seq: number): StoredRow {
  return { ...journalRow(eventOf(type, id, text), seq, seq), joined: null };
}

function eventOf(type: Piece["type"], id: string, delta: string): RunEvent {
  if (type === "step") return { type: "STEP_STARTED", stepName: id };
  if (type === "args") return { type: "TOOL_CALL_ARGS", toolCallId: id, delta };
  return { type: type === "text" ? "TEXT_MESSAGE_CONTENT" : "REASONING_MESSAGE_CONTENT", messageId: id, delta };
}

/** Joins as a driver does. */
function joinAll(rows: readonly StoredRow[]): StoredRow[] {
  const joined = joinDeltas(rows.filter(({ type }) => type !== "STEP_STARTED"));
  const isReplaced = ({ seq }: StoredRow) => joined.some(({ first, seq: last }) => seq >= first && seq <= last);
  return [...rows.filter((row) => !isReplaced(row)), ...joined].toSorted((a, b) => a.seq - b.seq);
}

/** The text that a reader who begins after `after` puts together: the pieces of each message in order. */
function textBehind(after: number, rows: readonly StoredRow[]): string[] {
  const said: { of: string; text: string }[] = [];
  for (const row of rows.filter(({ seq }) => seq > after)) {
    const { type, messageId, toolCallId, stepName, delta } = JSON.parse(eventBehind(after, row).data);
    const of = [type, messageId, toolCallId, stepName].join(" ");
    const last = said.at(-1);
    if (last?.of === of && delta !== undefined) last.text += delta;
    else said.push({ of, text: delta ?? "" });
  }
  return said.map(({ of, text }) => `${of}: ${text}`);
}
