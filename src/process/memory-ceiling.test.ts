import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { MemoryCeiling } from "./memory-ceiling.ts";
import type { ProcessInfo } from "./protocol.ts";

const CEILING = 1_000;
const LEAVE_MS = 5;

interface Shown {
  rss: number;
  uptime: number;
  state: ProcessInfo["state"];
}

/** A fake place of the process tree that counts its replacements. */
class Place {
  readonly id: number;
  readonly shown: Shown = { rss: 500, uptime: 100, state: "ready" };
  prepared = 0;
  committed: number[] = [];
  fails = false;
  isReady = Promise.resolve();

  constructor(id: number) {
    this.id = id;
  }

  info() {
    const { rss, uptime, state } = this.shown;
    return { rss_bytes: rss, uptime_s: uptime, state } as ProcessInfo;
  }

  async prepare() {
    this.prepared += 1;
    if (this.fails) throw new Error("no");
    await this.isReady;
    const commit = async (ms: number) => {
      this.committed.push(ms);
      this.shown.rss = 500;
    };
    return { commit, kill: () => {} };
  }
}

function makeCeiling() {
  const heavy: number[] = [];
  const ceiling = new MemoryCeiling({ bytes: CEILING, leaveMs: LEAVE_MS, onHeavy: ({ id }) => heavy.push(id) });
  const tick = async (places: readonly Place[], seconds: number) => {
    for (let second = 0; second < seconds; second += 1) {
      ceiling.tick(places);
      await setImmediate();
    }
  };
  return { heavy, tick };
}

test("a process that is above it for ten seconds is replaced, once, and has its time to finish", async () => {
  const { heavy, tick } = makeCeiling();
  const [light, leaking] = [new Place(1), new Place(2)];
  leaking.shown.rss = CEILING + 1;

  await tick([light, leaking], 9);
  expect(leaking.prepared).toBe(0);
  await tick([light, leaking], 5);

  expect({ heavy, committed: leaking.committed, light: light.prepared }).toEqual({
    heavy: [2],
    committed: [LEAVE_MS],
    light: 0,
  });
});

test.each<[string, Partial<Shown>]>([
  ["that only just started", { uptime: 20 }],
  ["that stalls", { state: "stalled" }],
  ["at the ceiling", { rss: CEILING }],
])("a process %s is left alone", async (_what, shown) => {
  const { heavy, tick } = makeCeiling();
  const place = new Place(1);
  Object.assign(place.shown, { rss: CEILING + 1, ...shown });
  await tick([place], 30);
  expect(heavy).toEqual([]);
});

test("a burst is none of its business", async () => {
  const { heavy, tick } = makeCeiling();
  const place = new Place(1);
  for (const rss of [CEILING + 1, 500, CEILING + 1]) {
    place.shown.rss = rss;
    await tick([place], 9);
  }
  expect(heavy).toEqual([]);
});

test("while one is replaced, no other one is, however long it takes", async () => {
  const { heavy, tick } = makeCeiling();
  const [one, two] = [new Place(1), new Place(2)];
  one.shown.rss = two.shown.rss = CEILING + 1;
  const ready = Promise.withResolvers<void>();
  one.isReady = ready.promise;
  await tick([one, two], 30);
  expect(heavy).toEqual([1]);

  ready.resolve();
  await tick([one, two], 2);

  expect(heavy).toEqual([1, 2]);
});

test("two at once are replaced one after the other, and one that fails is tried again", async () => {
  const { heavy, tick } = makeCeiling();
  const [one, two] = [new Place(1), new Place(2)];
  one.shown.rss = two.shown.rss = CEILING + 1;
  one.fails = true;
  await tick([one, two], 21);
  expect(heavy).toEqual([1, 2, 1]);
  expect([one.committed, two.committed]).toEqual([[], [LEAVE_MS]]);
});
