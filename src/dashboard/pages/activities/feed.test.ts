import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Activity, ActivityType } from "../../../core/activity.ts";
import { FakeServices } from "../../live/fake-services.ts";
import { ActivityFeed, LIVE_ROWS, MAX_ROWS } from "./feed.ts";
import type { FeedFilter } from "./filter.ts";

class FeedServer extends FakeServices {
  /** Oldest first. */
  stored: Activity[] = [];
  beforeAnswer = () => {};
  /** Delays an answer on its way back. */
  delay = async (): Promise<unknown> => undefined;

  override answer = async (path: string) => {
    // The request is on its way to the server.
    await Promise.resolve();
    const query = new URL(path, "http://x").searchParams;
    const before = Number(query.get("before") ?? Number.MAX_SAFE_INTEGER);
    const limit = Number(query.get("limit"));
    const fitting = this.stored.filter(({ seq }) => seq < before).toReversed();
    const activities = fitting.slice(0, limit);
    this.beforeAnswer();
    await this.delay();
    return { activities, next: fitting.length > limit ? activities.at(-1)?.seq : null };
  };
}

let server: FeedServer;

const ALL: FeedFilter = { agent: "", thread: "", type: "", before: null };

function activity(seq: number, more: Partial<Activity> = {}): Activity {
  const type: ActivityType = "run.queued";
  return { seq, at: seq, type, agent_id: "a", thread_id: "t", run_id: `r${seq}`, detail: {}, ...more };
}

/** Makes an activity: it is stored, and sent to all subscribers. */
function happen(next: Activity): void {
  server.stored.push(next);
  server.tell(next);
}

async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(1_200);
}

const seqs = (feed: ActivityFeed) => feed.rows.value?.map(({ seq }) => seq);

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("requestAnimationFrame", (work: () => void) => setTimeout(work, 16));
  vi.stubGlobal("cancelAnimationFrame", clearTimeout);
  server = new FeedServer();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("the first page and what comes live", () => {
  test("meet without a hole and without doubles, whatever happens between the two", async () => {
    server.stored = [activity(1), activity(2)];
    // It happens after the server has read the page and before the page arrives, so it comes live only.
    server.beforeAnswer = () => happen(activity(4));
    const feed = new ActivityFeed(server, ALL);
    feed.start();
    // It happens before the server reads the page, so it comes live and in the page.
    happen(activity(3));
    await settle();
    happen(activity(5));
    await settle();
    expect(seqs(feed)).toEqual([5, 4, 3, 2, 1]);
  });

  test("are filtered alike", async () => {
    const feed = new ActivityFeed(server, { ...ALL, agent: "b", type: "notice" });
    feed.start();
    await settle();
    expect(server.requests[0]).toContain("agent_id=b&type=notice");
    for (const next of [activity(1), activity(2, { agent_id: "b" }), activity(3, { agent_id: "b", type: "notice" })]) {
      happen(next);
    }
    await settle();
    expect(seqs(feed)).toEqual([3]);
  });

  test("a feed that is started again keeps what it showed, and lets what came meanwhile wait", async () => {
    server.stored = [activity(1), activity(2)];
    const feed = new ActivityFeed(server, ALL);
    feed.start();
    await settle();
    feed.stop();
    server.stored.push(activity(3));
    feed.hold(true);

    feed.start();
    await settle();

    expect([seqs(feed), feed.held.value]).toEqual([[2, 1], 1]);
    feed.release();
    expect(seqs(feed)).toEqual([3, 2, 1]);
  });

  test("a feed that is started again shows the newest page alone if that tells of too little to join the rows", async () => {
    server.stored = [activity(1)];
    const feed = new ActivityFeed(server, { ...ALL, agent: "a", type: "run.queued" });
    feed.start();
    await settle();
    feed.stop();
    server.answer = async () => ({ activities: [], next: 5_001 });

    feed.start();
    await settle();

    expect([seqs(feed), feed.next.value]).toEqual([[], 5_001]);
  });

  test("a window into the past is not live", async () => {
    server.stored = [activity(1), activity(2), activity(3)];
    const feed = new ActivityFeed(server, { ...ALL, before: 3 });
    feed.start();
    await settle();
    expect(server.subscriptions.size).toBe(0);
    expect(seqs(feed)).toEqual([2, 1]);
  });
});

describe("holding back", () => {
  test("moves nothing and counts, until it is released", async () => {
    server.stored = [activity(1)];
    const feed = new ActivityFeed(server, ALL);
    feed.start();
    await settle();
    feed.hold(true);
    happen(activity(2));
    happen(activity(3));
    await settle();
    expect([seqs(feed), feed.held.value]).toEqual([[1], 2]);
    feed.release();
    expect([seqs(feed), feed.held.value]).toEqual([[3, 2, 1], 0]);
  });

  test("beyond its bound shows only what is without holes", async () => {
    server.stored = [activity(1)];
    const feed = new ActivityFeed(server, ALL);
    feed.start();
    await settle();
    feed.hold(true);
    for (let seq = 2; seq <= MAX_ROWS + 500; seq += 1) happen(activity(seq));
    await settle();
    feed.hold(false);
    expect([seqs(feed)?.[0], seqs(feed)?.length, feed.next.value]).toEqual([
      MAX_ROWS + 500,
      LIVE_ROWS,
      MAX_ROWS + 501 - LIVE_ROWS,
    ]);
  });
});

describe("the past", () => {
  test("comes page by page, up to the bound", async () => {
    server.stored = Array.from({ length: MAX_ROWS + 100 }, (_, index) => activity(index + 1));
    const feed = new ActivityFeed(server, ALL);
    feed.start();
    await settle();
    while (feed.next.value !== null && !feed.isFull) {
      feed.loadOlder();
      feed.loadOlder();
      await settle();
    }
    expect(feed.isFull).toBe(true);
    expect(seqs(feed)).toEqual(Array.from({ length: MAX_ROWS }, (_, index) => MAX_ROWS + 100 - index));
    expect(server.requests).toHaveLength(MAX_ROWS / 50);
  });

  test("pushed out by new ones can be fetched again", async () => {
    const feed = new ActivityFeed(server, ALL);
    feed.start();
    await settle();
    for (let seq = 1; seq <= LIVE_ROWS + 10; seq += 1) happen(activity(seq));
    await settle();
    expect([feed.rows.value?.length, feed.next.value]).toEqual([LIVE_ROWS, 11]);
  });

  test("goes on behind pages that are empty or short, until there is no next page", async () => {
    const pages: Record<string, { activities: Activity[]; next: number | null }> = {
      newest: { activities: [], next: 10_001 },
      10001: { activities: [activity(9_000)], next: 5_001 },
      5001: { activities: [], next: 101 },
      101: { activities: [activity(100)], next: null },
    };
    server.answer = async (path) => pages[new URL(path, "http://x").searchParams.get("before") ?? "newest"] as never;
    const feed = new ActivityFeed(server, { ...ALL, agent: "a", type: "run.queued" });
    feed.start();
    await settle();
    while (feed.next.value !== null) {
      feed.loadOlder();
      await settle();
    }

    expect(seqs(feed)).toEqual([9_000, 100]);
  });

  test("that is pushed out while the page below it is under way does not get that page", async () => {
    server.stored = Array.from({ length: 100 }, (_, index) => activity(index + 1));
    const feed = new ActivityFeed(server, ALL);
    feed.start();
    await settle();
    const gate = Promise.withResolvers<void>();
    server.delay = () => gate.promise;

    feed.loadOlder();
    await settle();
    for (let seq = 101; seq <= 170; seq += 1) happen(activity(seq));
    await settle();
    gate.resolve();
    await settle();

    expect(seqs(feed)).toEqual(Array.from({ length: LIVE_ROWS }, (_, index) => 170 - index));
    expect(feed.next.value).toBe(71);
  });

  test("that does not come says why, apart from what is shown, and can be asked for again", async () => {
    server.stored = Array.from({ length: 60 }, (_, index) => activity(index + 1));
    const feed = new ActivityFeed(server, ALL);
    feed.start();
    await settle();
    server.delay = () => Promise.reject({ code: "UNREACHABLE", detail: "gone" });

    feed.loadOlder();
    await settle();
    expect([feed.olderError.value?.code, feed.error.value, feed.rows.value?.length]).toEqual(["UNREACHABLE", null, 50]);
    server.delay = async () => {};
    feed.loadOlder();
    await settle();

    expect([feed.olderError.value, feed.rows.value?.length]).toEqual([null, 60]);
  });
});

test("activities of a deleted thread vanish, the word of the deletion stays", async () => {
  server.stored = [activity(1), activity(2, { thread_id: "other" })];
  const feed = new ActivityFeed(server, ALL);
  feed.start();
  await settle();
  happen(activity(3, { type: "thread.deleted", thread_id: null, run_id: null, detail: { thread_id: "t" } }));
  await settle();
  expect(seqs(feed)).toEqual([3, 2]);
});

test("a gap in the live feed makes it start from the server again", async () => {
  const feed = new ActivityFeed(server, ALL);
  feed.start();
  await settle();
  server.stored = [activity(90)];
  server.tell({ type: "CUSTOM", name: "evenkeel.gap", value: { after: 1, next: 90 } });
  await settle();
  expect(seqs(feed)).toEqual([90]);
});

test("a confirmed subscription loads the activities before it; the page request in flight is dropped", async () => {
  const gate = Promise.withResolvers<void>();
  server.delay = () => gate.promise;
  server.stored = [activity(1)];
  server.isReadyAtOnce = false;
  const feed = new ActivityFeed(server, ALL);
  feed.start();
  // The first load, which does not wait for the subscription.
  await vi.advanceTimersByTimeAsync(250);
  // The socket was not open yet, so this activity does not come live.
  server.stored.push(activity(2));
  server.delay = async () => {};

  server.ready();
  await settle();
  gate.resolve();
  await settle();

  expect(seqs(feed)).toEqual([2, 1]);
  expect(feed.error.value).toBeNull();
});

test("a server that has begun anew is shown from its own beginning, though it counts below what was shown", async () => {
  server.stored = [activity(40)];
  const feed = new ActivityFeed(server, ALL);
  feed.start();
  await settle();
  server.stored = [activity(1)];

  server.restarted();
  expect(feed.rows.value).toBeNull();
  server.ready();
  await settle();
  happen(activity(2));
  await settle();

  expect(seqs(feed)).toEqual([2, 1]);
});
