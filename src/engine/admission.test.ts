import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { Admission } from "./admission.ts";
import { enqueue, newRun } from "./contract/setup.ts";
import { openTemporary } from "./sqlite/test-data.ts";

function admissionOf({ queued = 0, own = 0, isRepeat = false, limit = 10 }) {
  const counts = vi.fn<() => { queued: number }>(() => ({ queued }));
  return { admission: new Admission({ counts, ownQueued: () => own, isRepeat: () => isRepeat }, limit), counts };
}

test.each([
  ["the queue is full", { queued: 10 }, "OVERLOADED"],
  ["the principal's share is full", { queued: 9, own: 5 }, "TOO_MANY_REQUESTS"],
])("when %s, the request is refused", async (_, state, code) => {
  const { admission } = admissionOf(state);

  await expect(admission.assertRoom(newRun({ queuedAtMost: 5 }))).rejects.toMatchObject({ code });
});

test.each([
  ["there is room", { queued: 9 }, {}],
  ["the run is delegated", { queued: 10 }, { parentRunId: "parent" }],
  ["the request is a repeat by its key", { queued: 10, isRepeat: true }, { idempotencyKey: "key" }],
  ["the request is a repeat by its run id", { queued: 10, isRepeat: true }, { runIdChosen: true }],
])("when %s, the request passes", async (_, state, fields) => {
  const { admission } = admissionOf(state);

  await expect(admission.assertRoom(newRun(fields))).resolves.toBeUndefined();
});

test("requests that come at once share one count", async () => {
  const { admission, counts } = admissionOf({ queued: 10 });

  await Promise.allSettled(Array.from({ length: 100 }, () => admission.assertRoom(newRun())));

  expect(counts).toHaveBeenCalledOnce();
});

test("a refusal does not wait for the write lock", async () => {
  await using data = await openTemporary({ queued: 1 });
  await enqueue(data.engine);
  using other = new DatabaseSync(data.folder.dbPath, { timeout: 0 });
  other.exec("BEGIN IMMEDIATE");
  // Longer than a count is kept: the last one is from before the run.
  await delay(100);

  await expect(data.engine.enqueue(newRun())).rejects.toMatchObject({ code: "OVERLOADED" });
});
