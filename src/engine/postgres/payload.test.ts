import { expect, test } from "vitest";
import type { JournalEvent } from "../../core/event.ts";
import { linesOf, messagesOf } from "./payload.ts";
import type { News } from "./unit.ts";

const NOTHING: News = { events: [], hasActivities: false, hasWork: false, owners: [], deleted: [] };
const MAX_BYTES = 7_900;

function event(seq: number, text: string): JournalEvent {
  return { seq, type: "TEXT_MESSAGE_CONTENT", data: JSON.stringify({ seq, delta: text }) };
}

test("events travel as they are, those of one run in order", () => {
  const events = [event(1, "two words\n"), event(2, "ä😀")];
  const messages = messagesOf({ ...NOTHING, events: [{ n: 7, events }] }, MAX_BYTES);
  const lines = messages.flatMap(({ payload }) => [...linesOf(payload, (n) => n === 7)]);
  expect(lines).toEqual(events.map((one) => ({ n: 7, seq: one.seq, event: one })));
});

test("no payload is larger than the bus takes, and an event that is too long is only named", () => {
  const events = [
    ...Array.from({ length: 300 }, (_, index) => event(index + 1, "ä".repeat(50))),
    event(301, "ä".repeat(4_000)),
  ];
  const messages = messagesOf({ ...NOTHING, events: [{ n: 7, events }] }, MAX_BYTES);
  for (const { payload } of messages) expect(Buffer.byteLength(payload)).toBeLessThanOrEqual(MAX_BYTES);
  const lines = messages.flatMap(({ payload }) => [...linesOf(payload, () => true)]);
  expect(lines.map(({ seq }) => seq)).toEqual(events.map(({ seq }) => seq));
  expect(lines.filter((line) => line.event === undefined).map(({ seq }) => seq)).toEqual([301]);
});

test("a deleted run is named without a seq, and runs that nobody follows are passed over", () => {
  const messages = messagesOf({ ...NOTHING, events: [{ n: 39, events: [event(1, "a")] }], deleted: [7] }, MAX_BYTES);
  const lines = messages.flatMap(({ payload }) => [...linesOf(payload, (n) => n === 7)]);
  expect(lines).toEqual([{ n: 7, seq: undefined, event: undefined }]);
});
