import { expect, test, vi } from "vitest";
import { customEvent, type RunEvent } from "../core/event.ts";
import { startCluster } from "../testing/cluster.ts";
import { Attempts } from "./attempts.ts";
import { quiet } from "./summary.ts";

test("a run that waits out a long refusal of its model is listed as parked, until it is canceled", async () => {
  await using cluster = await startCluster();
  const parked = async () => (await cluster.client.get("/api/runs?parked=true")).body["runs"];

  const runId = await cluster.client.begin("/sim tokens=4 status=429 times=1 retry_after=60");
  await vi.waitFor(async () =>
    expect(await parked()).toMatchObject([
      { run_id: runId, waiting: { reason: expect.stringContaining("429"), until: expect.any(Number) } },
    ]),
  );
  await cluster.client.post(`/api/runs/${runId}/cancel`, {});

  await vi.waitFor(async () => expect(await parked()).toEqual([]));
});

test("a wait before the call that shortens a conversation is told, though the text of the call is not", () => {
  const told: RunEvent[] = [];
  const journal = { emit: (event: RunEvent) => told.push(event), text: () => {}, args: () => {}, retry: () => {} };
  const wait = { reason: "a rate limit", until: 9 };

  new Attempts(quiet(journal), "compact").wait(wait);

  expect(told).toEqual([customEvent("evenkeel.waiting", wait)]);
});
