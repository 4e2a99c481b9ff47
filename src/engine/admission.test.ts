import { DatabaseSync } from "node:sqlite";
import { afterEach, expect, test, vi } from "vitest";
import { AppError } from "../core/errors.ts";
import { Admission } from "./admission.ts";
import { enqueue, newRun } from "./contract/setup.ts";
import { openTemporary } from "./sqlite/test-data.ts";

afterEach(() => vi.restoreAllMocks());

const STORED = "stored";

const refuse = () => Promise.reject(new AppError("OVERLOADED", "full"));
const refuseOne = () => Promise.reject(new AppError("TOO_MANY_REQUESTS", "your share is full"));

/** After a refusal: until then, requests are stored without a look. */
async function watchful({ queued = 0, own = 0, isRepeat = false, limit = 10 }) {
  const counts = vi.fn<() => { queued: number }>(() => ({ queued }));
  const admission = new Admission({ counts, ownQueued: () => own, isRepeat: () => isRepeat }, limit);
  await expect(admission.admit(newRun(), refuse)).rejects.toMatchObject({ code: "OVERLOADED" });
  const store = vi.fn<() => Promise<string>>(async () => STORED);
  return { admission, counts, store };
}

test.each([
  ["the queue is full", { queued: 10 }, "OVERLOADED"],
  ["the principal's share is full", { queued: 9, own: 5 }, "TOO_MANY_REQUESTS"],
  ["all that waits is the principal's share", { queued: 5, own: 5 }, "TOO_MANY_REQUESTS"],
])("when %s, the request is refused and nothing is stored", async (_, state, code) => {
  const { admission, store } = await watchful(state);

  await expect(admission.admit(newRun({ queuedAtMost: 5 }), store)).rejects.toMatchObject({ code });
  expect(store).not.toHaveBeenCalled();
});

test.each([
  ["there is room", { queued: 9 }, {}],
  ["the run is delegated", { queued: 10 }, { parentRunId: "parent" }],
  ["the request is a repeat by its key", { queued: 10, isRepeat: true }, { idempotencyKey: "key" }],
  ["the request is a repeat by its run id", { queued: 10, isRepeat: true }, { runIdChosen: true }],
])("when %s, the request is stored", async (_, state, fields) => {
  const { admission, store } = await watchful(state);

  await expect(admission.admit(newRun(fields), store)).resolves.toBe(STORED);
});

test("requests that come at once share one count, and without a refusal before nothing is counted", async () => {
  const { admission, counts, store } = await watchful({ queued: 10 });
  expect(counts).not.toHaveBeenCalled();

  await Promise.allSettled(Array.from({ length: 100 }, () => admission.admit(newRun(), store)));

  expect(counts).toHaveBeenCalledOnce();
});

test("a second after the last refusal nothing is counted any more", async () => {
  const { admission, counts, store } = await watchful({ queued: 10 });
  vi.spyOn(performance, "now").mockReturnValue(performance.now() + 1_000);

  await expect(admission.admit(newRun(), store)).resolves.toBe(STORED);

  expect(counts).not.toHaveBeenCalled();
});

test("a count serves for 50 ms", async () => {
  const { admission, counts, store } = await watchful({ queued: 10 });
  const now = performance.now();
  for (const ms of [0, 50, 51]) {
    vi.spyOn(performance, "now").mockReturnValue(now + ms);
    await expect(admission.admit(newRun(), store)).rejects.toMatchObject({ code: "OVERLOADED" });
    expect(counts).toHaveBeenCalledTimes(ms > 50 ? 2 : 1);
  }
});

test("a refusal of one principal makes the next requests be looked at, too", async () => {
  const counts = vi.fn<() => { queued: number }>(() => ({ queued: 0 }));
  const admission = new Admission({ counts, ownQueued: () => 0, isRepeat: () => false }, 10);
  await expect(admission.admit(newRun(), refuseOne)).rejects.toMatchObject({ code: "TOO_MANY_REQUESTS" });

  await admission.admit(newRun(), async () => STORED);

  expect(counts).toHaveBeenCalledOnce();
});

test("a refusal does not wait for the write lock", async () => {
  await using data = await openTemporary({ queued: 1 });
  await enqueue(data.engine);
  const refused = () => expect(data.engine.enqueue(newRun())).rejects.toMatchObject({ code: "OVERLOADED" });
  await refused();
  using other = new DatabaseSync(data.folder.dbPath, { timeout: 0 });
  other.exec("BEGIN IMMEDIATE");

  await refused();
});
