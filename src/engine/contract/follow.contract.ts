/** Live readers get every row once and in order, from the moment they come until they go. */
import { expect, test, vi } from "vitest";
import type { Activity } from "../../core/activity.ts";
import type { JournalEvent } from "../../core/event.ts";
import type { Claim, Engine, Follower, AttributedActivity } from "../engine.ts";
import { Collector, Viewer } from "./collector.ts";
import {
  claimNext,
  complete,
  delta,
  enqueue,
  LEASE_MS,
  numbersTo,
  start,
  stepOf,
  type OpenEngine,
  ownerOf,
} from "./setup.ts";

const TRIALS = 150;
const EVENTS_PER_TRIAL = 6;
// RUN_STARTED, evenkeel.queued and evenkeel.claimed come before the events of the trial.
const LAST_SEQ = 3 + EVENTS_PER_TRIAL;

export function testFollow(open: OpenEngine): void {
  testLive(open);
  testAttach(open);
  testStop(open);
  testFeed(open);
  testSignals(open);
  testDeleted(open);
}

function testLive(open: OpenEngine): void {
  test("a follower gets what another handle appends, in order, as the journal has it", async () => {
    await using data = await open();
    const writing = await data.another();
    const claim = await start(data.engine);
    const live = new Collector<JournalEvent>();
    await data.engine.follow(claim.run.run_id, { onEvents: live.push });

    for (const text of ["a", "b", "c"]) await writing.append(stepOf(claim, { events: [delta(text)] }));
    await complete(writing, claim);

    const events = await live.until(isFinished);
    const journal = await data.engine.events(claim.run.run_id, 0, { limit: 100 });
    expect(events).toEqual(journal.slice(-events.length));
    expect(events.length).toBeGreaterThanOrEqual(4);
  });

  test("a follower gets what its own handle appends", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    const live = new Collector<JournalEvent>();
    await data.engine.follow(claim.run.run_id, { onEvents: live.push });

    await data.engine.append(stepOf(claim, { events: [delta("mine")] }));

    const events = await live.until((items) => items.length > 0);
    expect(events.at(-1)).toMatchObject({ seq: 4, type: "TEXT_MESSAGE_CONTENT" });
  });

  test("a follower misses nothing when the newest of another thread is deleted meanwhile", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    await complete(data.engine, await start(data.engine, { threadId: "thread" }));
    const live = new Collector<JournalEvent>();
    await data.engine.follow(claim.run.run_id, { onEvents: live.push });

    await data.engine.deleteThread("thread");
    await append(data.engine, claim, "a");

    const events = await live.until((items) => items.length > 0);
    expect(events.at(-1)?.seq).toBe(4);
  });

  test("a burst larger than any batch arrives whole", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    const live = new Collector<JournalEvent>();
    await data.engine.follow(claim.run.run_id, { onEvents: live.push });

    await data.engine.append(stepOf(claim, { events: numbersTo(3_500).map((number) => delta(String(number))) }));

    const events = await live.until((items) => items.at(-1)?.seq === 3_503);
    expect(events.map(({ seq }) => seq)).toEqual(numbersTo(3_503).slice(-events.length));
    expect(events.length).toBeGreaterThanOrEqual(3_500);
  });

  test("a follower gets events of its run only, and many may follow one run", async () => {
    await using data = await open();
    const [mine, other] = [await start(data.engine), await start(data.engine)];
    const [live, twin, elsewhere] = [new Collector<JournalEvent>(), new Collector<JournalEvent>(), new Collector()];
    await data.engine.follow(mine.run.run_id, { onEvents: live.push });
    await data.engine.follow(mine.run.run_id, { onEvents: twin.push });
    await data.engine.follow(other.run.run_id, { onEvents: elsewhere.push });

    await data.engine.append(stepOf(other, { events: [delta("not mine")] }));
    await complete(data.engine, mine);
    await complete(data.engine, other);

    await live.until(isFinished);
    await twin.until(isFinished);
    await elsewhere.until((items) => items.length >= 2);
    for (const { items } of [live, twin]) expect(items.map(({ data: json }) => json).join()).not.toContain("not mine");
  });
}

function testAttach(open: OpenEngine): void {
  test(`a viewer that comes while another handle appends sees 1 to n once, in ${TRIALS} trials`, async () => {
    await using data = await open();
    const writing = await data.another();

    for (const [trial, claim] of (await claimNew(writing, TRIALS)).entries()) {
      const attachAt = trial % EVENTS_PER_TRIAL;
      const seen = await attachWhileAppending({ reading: data.engine, writing, claim, attachAt });
      expect(seen).toEqual(numbersTo(LAST_SEQ));
    }
  });

  test(`${TRIALS} viewers that come while others follow and all is appended at once see 1 to n once`, async () => {
    await using data = await open();
    const writing = await data.another();
    const claims = await claimNew(writing, TRIALS);

    const seen = await Promise.all(
      claims.map((claim, trial) => {
        const attachAt = trial % EVENTS_PER_TRIAL;
        return attachWhileAppending({ reading: data.engine, writing, claim, attachAt });
      }),
    );

    expect(seen).toEqual(claims.map(() => numbersTo(LAST_SEQ)));
  });
}

function testStop(open: OpenEngine): void {
  test("a stopped follower is never called again, and the others still are", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    const [stopped, other] = [new Collector<JournalEvent>(), new Collector<JournalEvent>()];
    const follower = await data.engine.follow(claim.run.run_id, { onEvents: stopped.push });
    await data.engine.follow(claim.run.run_id, { onEvents: other.push });
    await append(data.engine, claim, "a");
    await stopped.until((items) => items.at(-1)?.seq === 4);

    follower.stop();
    const before = stopped.items.length;
    await append(data.engine, claim, "b");
    await append(data.engine, claim, "c");

    await other.until((items) => items.at(-1)?.seq === 6);
    expect(stopped.items).toHaveLength(before);
  });

  test("a follower may stop itself within its own call", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    const [seen, other] = [new Collector<JournalEvent>(), new Collector<JournalEvent>()];
    const follower = await data.engine.follow(claim.run.run_id, {
      onEvents: (events) => {
        follower.stop();
        seen.push(events);
      },
    });
    await data.engine.follow(claim.run.run_id, { onEvents: other.push });

    await append(data.engine, claim, "a");
    await seen.until((items) => items.length > 0);
    const before = seen.items.length;
    await append(data.engine, claim, "b");

    await other.until((items) => items.at(-1)?.seq === 5);
    expect(seen.items).toHaveLength(before);
  });

  test("stopping twice does not silence whoever follows the same run since", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    const first = await data.engine.follow(claim.run.run_id, { onEvents: () => {} });
    first.stop();
    const later = new Collector<JournalEvent>();
    await data.engine.follow(claim.run.run_id, { onEvents: later.push });

    first.stop();
    await append(data.engine, claim, "a");

    const events = await later.until((items) => items.length > 0);
    expect(events.at(-1)?.seq).toBe(4);
  });

  test("stopping one of two followers with the same callback leaves the other", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    const live = new Collector<JournalEvent>();
    const first = await data.engine.follow(claim.run.run_id, { onEvents: live.push });
    await data.engine.follow(claim.run.run_id, { onEvents: live.push });

    first.stop();
    await append(data.engine, claim, "a");

    const events = await live.until((items) => items.length > 0);
    expect(events.at(-1)?.seq).toBe(4);
  });

  test("no follower is called after its engine was closed", async () => {
    await using data = await open();
    const other = await data.another();
    const claim = await start(data.engine);
    const [closed, live] = [new Collector<JournalEvent>(), new Collector<JournalEvent>()];
    await other.follow(claim.run.run_id, { onEvents: closed.push });
    await data.engine.follow(claim.run.run_id, { onEvents: live.push });

    await other.close();
    await append(data.engine, claim, "a");
    await append(data.engine, claim, "b");

    await live.until((items) => items.at(-1)?.seq === 5);
    expect(closed.items).toEqual([]);
  });
}

function testFeed(open: OpenEngine): void {
  test("a follower of the feed gets each activity of every handle once, in order", async () => {
    await using data = await open();
    const writing = await data.another();
    await enqueue(writing);
    const before = await data.engine.lastActivity();
    const live = new Collector<AttributedActivity>();
    await data.engine.followActivities(live.push);

    await Promise.all(numbersTo(30).map((number) => post([data.engine, writing][number % 2] ?? writing, number)));

    await live.until((items) => items.filter(({ activity: { seq } }) => seq > before).length >= 30);
    const { items } = await data.engine.activities({ limit: 30 });
    expect(live.items.slice(-30).map(({ activity }) => activity)).toEqual(items.toReversed());
  });

  test("a burst of activities in one commit arrives whole, though nothing comes after it", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    const live = new Collector<AttributedActivity>();
    await data.engine.followActivities(live.push);
    const call = { stepsBefore: 0, name: "clock", effects: "pure", result: null } as const;

    const toolCalls = numbersTo(1_100).map((number) => ({ ...call, toolCallId: `call_${number}` }));
    await (await data.another()).append(stepOf(claim, { toolCalls }));

    const seen = await live.until(
      (items) => items.filter(({ activity }) => activity.type === "tool.called").length >= 1_100,
    );
    expect(new Set(seen.map(({ activity }) => activity.seq)).size).toBe(seen.length);
  });

  test("a follower of the feed misses nothing when a thread is deleted meanwhile", async () => {
    await using data = await open();
    await complete(data.engine, await start(data.engine, { threadId: "thread" }));
    const live = new Collector<AttributedActivity>();
    await data.engine.followActivities(live.push);

    await data.engine.deleteThread("thread");
    const { seq } = await post(data.engine, 1);

    const seen = await live.until((items) => items.at(-1)?.activity.seq === seq);
    expect(seen.map(({ activity }) => activity.seq)).toEqual(seen.map((_, index) => seq - seen.length + 1 + index));
  });

  test("a stopped follower of the feed is never called again", async () => {
    await using data = await open();
    const [stopped, other] = [new Collector<AttributedActivity>(), new Collector<AttributedActivity>()];
    const follower = await data.engine.followActivities(stopped.push);
    await data.engine.followActivities(other.push);
    follower.stop();
    follower.stop();

    const { seq } = await post(data.engine, 1);

    await other.until((items) => items.at(-1)?.activity.seq === seq);
    expect(stopped.items).toEqual([]);
  });
}

function testSignals(open: OpenEngine): void {
  test("an owner hears of work that is there already, and of each that comes, from every handle", async () => {
    await using data = await open();
    const other = await data.another();
    await enqueue(data.engine);
    const work = new Collector<number>();
    await data.engine.watch(ownerOf("owner 1"), { onWork: () => work.push([1]), onCancel: () => {} });
    await work.until((items) => items.length > 0);
    await claimNext(data.engine);

    for (const engine of [other, data.engine, other]) {
      const before = work.items.length;
      await enqueue(engine);
      await work.until((items) => items.length > before);
      await claimNext(engine);
    }
    expect(work.items.length).toBeGreaterThanOrEqual(4);
  });

  test("an owner hears of work that is there already, also when its process has followed others before", async () => {
    await using data = await open();
    const live = new Collector<AttributedActivity>();
    await data.engine.followActivities(live.push);
    await enqueue(await data.another());
    await live.until((items) => items.length > 0);

    const work = new Collector<number>();
    await data.engine.watch(ownerOf("owner 1"), { onWork: () => work.push([1]), onCancel: () => {} });

    expect(await work.until((items) => items.length > 0)).toContain(1);
  });

  test("an owner hears of a run that is handed back, and of the next of a thread", async () => {
    await using data = await open();
    const first = await start(data.engine, { threadId: "thread" });
    await enqueue(data.engine, { threadId: "thread" });
    const work = new Collector<number>();
    await data.engine.watch(ownerOf("owner 2"), { onWork: () => work.push([1]), onCancel: () => {} });

    await data.engine.release({ owner: ownerOf("owner 1") }, "stopped");
    await work.until((items) => items.length > 0);
    const again = await claimNext(data.engine);
    expect(again.run.run_id).toBe(first.run.run_id);
    const before = work.items.length;
    await complete(data.engine, again);
    await work.until((items) => items.length > before);
  });

  test("an owner hears of cancels of its runs, also of one from before it listened, and of no others", async () => {
    await using data = await open();
    const other = await data.another();
    const [early, late] = [await start(data.engine), await start(data.engine)];
    const foreign = await start(data.engine, { owner: "owner 2" });
    await data.engine.cancel(early.run.run_id);
    const canceled = new Collector<string>();
    await data.engine.watch(ownerOf("owner 1"), { onWork: () => {}, onCancel: canceled.push });
    await canceled.until((items) => items.includes(early.run.run_id));

    await other.cancel(foreign.run.run_id);
    await other.cancel(late.run.run_id);

    const seen = await canceled.until((items) => items.includes(late.run.run_id));
    expect(new Set(seen)).toEqual(new Set([early.run.run_id, late.run.run_id]));
  });

  test("an owner without work or cancels hears nothing, whatever others commit", async () => {
    await using data = await open();
    const claim = await start(data.engine, { owner: "owner 2" });
    const heard = new Collector<string>();
    const onWork = () => heard.push(["work"]);
    await data.engine.watch(ownerOf("owner 1"), { onWork, onCancel: heard.push });
    const activities = new Collector<AttributedActivity>();
    await data.engine.followActivities(activities.push);

    await append(data.engine, claim, "a");
    const { seq } = await post(data.engine, 1);

    await activities.until((items) => items.at(-1)?.activity.seq === seq);
    expect(heard.items).toEqual([]);
  });

  test("an owner that stopped listening hears nothing any more", async () => {
    await using data = await open();
    const [stopped, other] = [new Collector<number>(), new Collector<number>()];
    const watch = (collector: Collector<number>) =>
      data.engine.watch(ownerOf("owner 1"), { onWork: () => collector.push([1]), onCancel: () => {} });
    const follower = await watch(stopped);
    await watch(other);
    follower.stop();

    await enqueue(data.engine);

    await other.until((items) => items.length > 0);
    expect(stopped.items).toEqual([]);
  });
}

function testDeleted(open: OpenEngine): void {
  test("a follower is told once that its run was deleted, even in the same moment as its end", async () => {
    await using data = await open();
    const other = await data.another();
    const claim = await start(data.engine, { threadId: "thread" });
    const deleted = new Collector<string>();
    await data.engine.follow(claim.run.run_id, { onEvents: () => {}, onDeleted: () => deleted.push(["deleted"]) });

    // Refused until the run has ended, which may be a moment later.
    const deleteSoon = vi.waitFor(() => other.deleteThread("thread"), { interval: 5, timeout: 10_000 });
    await Promise.all([complete(other, claim), deleteSoon]);

    await deleted.until((items) => items.length > 0);
    await append(data.engine, await start(data.engine), "later");
    expect(deleted.items).toEqual(["deleted"]);
  });

  test("a follower of a run that is not there is told so, unless it was stopped", async () => {
    await using data = await open();
    const [told, stopped] = [new Collector<string>(), new Collector<string>()];
    const follower = await data.engine.follow("nobody", {
      onEvents: () => {},
      onDeleted: () => stopped.push(["deleted"]),
    });
    follower.stop();
    await data.engine.follow("nobody", { onEvents: () => {}, onDeleted: () => told.push(["deleted"]) });

    await told.until((items) => items.length > 0);
    expect(stopped.items).toEqual([]);
  });
}

/** A run whose events are appended one by one, and a viewer that comes in the middle of it. */
async function attachWhileAppending({ reading, writing, claim, attachAt }: Attach): Promise<readonly number[]> {
  const { run_id: runId } = claim.run;
  const viewer = new Viewer<JournalEvent>();
  const appends: Promise<void>[] = [];
  let follower: Follower | undefined;
  for (let number = 0; number < EVENTS_PER_TRIAL; number += 1) {
    appends.push(append(writing, claim, String(number)));
    if (number === attachAt) {
      follower = await reading.follow(runId, { onEvents: viewer.onEvents });
      viewer.caughtUp(await reading.events(runId, 0, { limit: 1_000 }));
    }
    // Some of the appends are committed together, some one by one.
    if (number % 3 === 2) await appends.at(-1);
  }
  await Promise.all(appends);
  const seen = await viewer.until(LAST_SEQ);
  follower?.stop();
  return seen;
}

interface Attach {
  readonly reading: Engine;
  readonly writing: Engine;
  readonly claim: Claim;
  /** The viewer comes after the append of this number has started. */
  readonly attachAt: number;
}

function isFinished(events: readonly JournalEvent[]): boolean {
  return events.at(-1)?.type === "RUN_FINISHED";
}

async function claimNew(engine: Engine, count: number): Promise<Claim[]> {
  await Promise.all(Array.from({ length: count }, () => enqueue(engine)));
  return engine.claim({ owner: ownerOf("owner 1"), limit: count, leaseMs: LEASE_MS });
}

async function append(engine: Engine, claim: Claim, text: string): Promise<void> {
  await engine.append(stepOf(claim, { events: [delta(text)] }));
}

function post(engine: Engine, number: number): Promise<Activity> {
  return engine.post({ type: "notice", detail: { number } });
}
