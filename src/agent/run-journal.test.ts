import { expect, test } from "vitest";
import { AppError } from "../core/errors.ts";
import type { RunEvent } from "../core/event.ts";
import type { Engine, Step, ToolCall } from "../engine/engine.ts";
import { RunJournal } from "./run-journal.ts";

/** A journal whose writes each end when the test says so: the real engine is too fast to meet it in between. */
function journalOf({ signal } = new AbortController()) {
  const steps: Step[] = [];
  const ends: PromiseWithResolvers<void>[] = [];
  const write = async (step: Step) => {
    steps.push(step);
    const end = Promise.withResolvers<void>();
    ends.push(end);
    await end.promise;
    return { cancelRequested: false };
  };
  const engine = { append: write, settle: write } as unknown as Engine;
  const journal = new RunJournal({ engine, runId: "run", fence: 1, signal, onCanceled: () => {}, onLost: () => {} });
  const endAll = () => ends.splice(0).forEach(({ resolve }) => resolve());
  return { journal, steps, ends, endAll };
}

const started: RunEvent = { type: "STEP_STARTED", stepName: "tool:pay:a" };
const result = (toolCallId: string): RunEvent => ({
  type: "TOOL_CALL_RESULT",
  messageId: `msg_${toolCallId}`,
  toolCallId,
  content: "paid",
});
const paid = (toolCallId: string): ToolCall => ({
  stepsBefore: 1,
  toolCallId,
  name: "pay",
  effects: "unsafe",
  result: { content: "paid", isError: false },
});

test("an earlier write never carries the events of a later step, so a crash between them parts no step", async () => {
  const { journal, steps, endAll } = journalOf();
  journal.emit(started);
  const steppedA = journal.checkpoint({ toolCalls: [paid("a")] }, [result("a")]);
  const steppedB = journal.checkpoint({ toolCalls: [paid("b")] }, [result("b")]);
  const ending = setInterval(endAll);
  await Promise.all([steppedA, steppedB]);
  clearInterval(ending);

  expect(steps).toMatchObject([
    { events: [started, result("a")], toolCalls: [paid("a")] },
    { events: [result("b")], toolCalls: [paid("b")] },
  ]);
});

test("events whose write failed come before those of the end, as an end must follow its start", async () => {
  const abort = new AbortController();
  const { journal, steps, ends, endAll } = journalOf(abort);
  const first = journal.checkpoint({}, [started]);
  const second = journal.checkpoint({}, [result("a")]);
  await expect.poll(() => ends.length).toBe(1);
  abort.abort();
  ends.shift()?.reject(new AppError("STORAGE_UNAVAILABLE", "the disk is away"));
  await expect(first).rejects.toThrow("the disk is away");
  await expect.poll(() => ends.length).toBe(1);
  ends.shift()?.reject(new AppError("STORAGE_UNAVAILABLE", "the disk is away"));
  await expect(second).rejects.toThrow("the disk is away");

  const settled = journal.settle({}, { status: "canceled" });
  await expect.poll(() => ends.length).toBe(1);
  endAll();
  await settled;

  const finished = { type: "STEP_FINISHED", stepName: "tool:pay:a" };
  expect(steps.at(-1)?.events).toEqual([started, result("a"), finished]);
});
