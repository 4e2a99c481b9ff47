import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { FakeProcess } from "../testing/fake-child.ts";
import { beatFor, snapshotsOf, startTree, VITALS } from "../testing/fake-tree.ts";
import { EXIT } from "./protocol.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** What a tool may write into the channel of its process, as the primary reads it. */
const NONSENSE: [string, unknown][] = [
  ["null", null],
  ["no JSON", undefined],
  ["a number", 7],
  ["NaN", Number.NaN],
  ["a string", "ready"],
  ["a list", [{ type: "failed" }]],
  ["an empty object", {}],
  ["an unknown type", { type: "drain" }],
  ["a type that is no string", { type: { toString: "ready" } }],
  ["a second ready", { type: "ready", port: 1 }],
  ["a ready with a port that is none", { type: "ready", port: "80; rm" }],
  ["a ready with a port out of range", { type: "ready", port: 65_536 }],
  ["a failed without a text", { type: "failed", detail: { long: "story" } }],
  ["a heartbeat without vitals", { type: "heartbeat", gauges: {} }],
  ["a heartbeat without gauges", { type: "heartbeat", vitals: VITALS }],
  ["vitals that are null", { type: "heartbeat", vitals: null, gauges: {} }],
  ["vitals with NaN", { type: "heartbeat", vitals: { ...VITALS, cpu_percent: Number.NaN }, gauges: {} }],
  ["vitals with a text", { type: "heartbeat", vitals: { ...VITALS, rss_bytes: "1" }, gauges: {} }],
  ["vitals below zero", { type: "heartbeat", vitals: { ...VITALS, in_flight: -1 }, gauges: {} }],
  ["vitals without a lag", { type: "heartbeat", vitals: { ...VITALS, lag_ms: null }, gauges: {} }],
  [
    "a lag that is infinite",
    { type: "heartbeat", vitals: { ...VITALS, lag_ms: { p50: 0, p99: Infinity } }, gauges: {} },
  ],
  ["notes that are a text", { type: "notes", notes: "long" }],
  ["a note that is no text", { type: "notes", notes: { mcp: 7 } }],
  ["a note that is too long", { type: "notes", notes: { mcp: "x".repeat(25_000) } }],
  ["a request without a subject", { type: "request", request: { to: "agent", name: "a" } }],
  ["a request to nobody", { type: "request", request: { to: "primary", name: "a", about: "b" } }],
  ["gauges that are a list", { type: "heartbeat", vitals: VITALS, gauges: [1] }],
];

test("every worker gets the same snapshot each second, with a seq that grows and the primary's gauges", async () => {
  await using tree = await startTree();

  await vi.advanceTimersByTimeAsync(3_000);

  const [first, second] = tree.forked.map(snapshotsOf);
  const last = first?.at(-1);
  expect(second?.at(-1)).toEqual(last);
  expect(last).toMatchObject({ at: Date.now(), processes: [{ kind: "primary", gauges: { runs_running: 3 } }, {}, {}] });
  const seqs = first?.map(({ seq }) => seq) ?? [];
  expect(seqs.length).toBeGreaterThanOrEqual(3);
  expect(seqs).toEqual([...new Set(seqs)].toSorted((a, b) => a - b));
});

test("a death is shared without waiting for the next second, and so is the child that takes over", async () => {
  await using tree = await startTree();
  tree.forked[0]?.exit(null, "SIGKILL");
  await vi.advanceTimersByTimeAsync(50);
  const [, dead] = snapshotsOf(tree.forked[1]).at(-1)?.processes ?? [];
  tree.forked[2]?.say({ type: "ready" });
  await vi.advanceTimersByTimeAsync(50);
  const [, next] = snapshotsOf(tree.forked[1]).at(-1)?.processes ?? [];

  expect(dead).toMatchObject({ state: "starting", pid: 3, last_exit: { reason: "SIGKILL" } });
  expect(next).toMatchObject({ state: "ready", pid: 3, restarts: 1, last_exit: { reason: "SIGKILL" } });
});

test("what changes at the same time is one snapshot", async () => {
  await using tree = await startTree(3);
  await vi.advanceTimersByTimeAsync(100);
  const before = snapshotsOf(tree.forked[2]).length;

  for (const process of tree.forked.slice(0, 2)) {
    process.say({ type: "failed", detail: "disk full" });
    process.exit(70);
  }
  await vi.advanceTimersByTimeAsync(50);

  const [last, ...more] = snapshotsOf(tree.forked[2]).slice(before);
  expect(more).toEqual([]);
  expect(last?.processes.map((process) => process.last_exit?.reason)).toEqual([
    undefined,
    "disk full",
    "disk full",
    undefined,
  ]);
});

test.each<[string, unknown]>(NONSENSE)("a child that sends %s changes nothing", async (_, message) => {
  await using tree = await startTree();
  tree.forked[0]?.say({ type: "heartbeat", vitals: VITALS, gauges: { viewers: 6 } });

  tree.forked[0]?.sayAnything(message);
  await vi.advanceTimersByTimeAsync(1_000);

  const [, worker] = snapshotsOf(tree.forked[1]).at(-1)?.processes ?? [];
  expect(worker).toMatchObject({ ...VITALS, pid: 1, state: "ready", gauges: { viewers: 6 }, restarts: 0 });
});

test("gauges that are no numbers, or too many, are left out of the snapshot", async () => {
  await using tree = await startTree();
  const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`gauge_${index}`, index]));
  const gauges = JSON.parse('{"__proto__":1,"a":"1","b":null,"c":{},"D":1,"viewers":6}') as Record<string, number>;

  tree.forked[0]?.say({ type: "heartbeat", vitals: VITALS, gauges });
  tree.forked[1]?.say({ type: "heartbeat", vitals: VITALS, gauges: many });
  await vi.advanceTimersByTimeAsync(1_000);

  const [, first, second] = snapshotsOf(tree.forked[1]).at(-1)?.processes ?? [];
  expect(first?.gauges).toEqual({ viewers: 6 });
  expect(Object.keys(second?.gauges ?? {})).toHaveLength(256);
});

const notesTo = (process: FakeProcess | undefined) =>
  (process?.sent ?? []).flatMap((message) => (message.type === "notes" ? [message.processes] : []));

const noted = (text: string) => [{ kind: "worker", id: 1, notes: { mcp: text } }];

test("notes go to each worker once per change, also to a later one, and end with their process", async () => {
  await using tree = await startTree();
  tree.forked[0]?.say({ type: "notes", notes: { mcp: "one" } });
  await vi.advanceTimersByTimeAsync(1_100);
  tree.forked[0]?.say({ type: "notes", notes: { mcp: "two" } });
  await vi.advanceTimersByTimeAsync(1_100);

  expect(notesTo(tree.forked[1]).slice(-2)).toEqual([noted("one"), noted("two")]);

  tree.forked[1]?.exit(null, "SIGKILL");
  await vi.advanceTimersByTimeAsync(200);
  tree.forked[2]?.say({ type: "ready" });
  await vi.advanceTimersByTimeAsync(1_100);
  expect(notesTo(tree.forked[2])).toEqual([noted("two")]);

  tree.forked[0]?.exit(null, "SIGKILL");
  await vi.advanceTimersByTimeAsync(1_100);
  expect(notesTo(tree.forked[2]).at(-1)).toEqual([]);
});

test("a request of a worker reaches all children of the kind that it names", async () => {
  await using tree = await startTree();
  const request = { to: "worker", name: "mcp.restart", about: "files" } as const;

  tree.forked[0]?.say({ type: "request", request });

  for (const { sent } of tree.forked) expect(sent).toContainEqual({ type: "request", request });
});

test("only a worker may make a request", async () => {
  await using tree = await startTree();
  await tree.add("agent");

  tree.forked[2]?.say({ type: "request", request: { to: "worker", name: "mcp.restart", about: "files" } });

  for (const { sent } of tree.forked) expect(sent).not.toContainEqual(expect.objectContaining({ type: "request" }));
});

test("a worker that takes over is handed the same past as the others have, with a mark for the death", async () => {
  await using tree = await startTree();
  await vi.advanceTimersByTimeAsync(2_000);
  tree.forked[0]?.exit(null, "SIGKILL");
  await vi.advanceTimersByTimeAsync(50);

  tree.forked[2]?.say({ type: "ready" });
  await vi.advanceTimersByTimeAsync(50);

  const [history] = (tree.forked[2]?.sent ?? []).flatMap((message) =>
    message.type === "history" ? [message.snapshots] : [],
  );
  const seen = snapshotsOf(tree.forked[1]);
  expect(history?.at(-1)?.processes[1]).toMatchObject({ pid: 3, state: "ready", restarts: 1 });
  expect(history?.length).toBeGreaterThanOrEqual(2);
  expect(history).toEqual(seen.filter(({ seq }) => history?.some((past) => past.seq === seq)));
  expect(snapshotsOf(tree.forked[2]).at(-1)?.marks).toMatchObject([
    { type: "death", process: "worker 1", detail: "died; it is replaced (SIGKILL)" },
  ]);
});

test("a child that stalls is one mark, however long it does", async () => {
  await using tree = await startTree();
  const beat = () => tree.forked[1]?.say({ type: "heartbeat", vitals: VITALS, gauges: {} });

  for (let second = 0; second < 4; second += 1) {
    beat();
    await vi.advanceTimersByTimeAsync(1_000);
  }

  expect(snapshotsOf(tree.forked[1]).at(-1)?.marks).toMatchObject([{ type: "stall", process: "worker 1" }]);
});

test("a reload is a mark", async () => {
  await using tree = await startTree();

  const replaced = tree.supervisor.replace(["worker"]);
  await vi.advanceTimersByTimeAsync(0);
  for (const process of tree.forked.slice(2)) process.say({ type: "ready" });
  await replaced;
  await vi.advanceTimersByTimeAsync(50);

  expect(snapshotsOf(tree.forked[3]).at(-1)?.marks).toMatchObject([
    { type: "reload", process: null, detail: "new workers serve" },
  ]);
});

test("a drain does not wait for the boot of children that were to replace others", async () => {
  await using tree = await startTree();
  const replaced = tree.supervisor.replace(["worker"]);
  await vi.advanceTimersByTimeAsync(0);
  const [first, second, next] = tree.forked;
  next?.say({ type: "ready" });

  const drained = tree.supervisor.drain([["worker"]]);
  for (const old of [first, second]) old?.exit(0);

  await drained;
  expect(await replaced).toBe(false);
});

test("a place that is one too many during a reload does not spoil it for the others", async () => {
  await using tree = await startTree();
  const replaced = tree.supervisor.replace(["worker"]);
  await vi.advanceTimersByTimeAsync(0);

  tree.supervisor.adjust("worker", -1);
  for (const process of tree.forked.slice(2)) process.say({ type: "ready" });

  expect(await replaced).toBe(true);
  expect(tree.forked[0]?.sent).toContainEqual(expect.objectContaining({ type: "drain" }));
});

test("of too many workers, one that does not start leaves before one that serves", async () => {
  await using tree = await startTree();
  tree.forked[0]?.exit(null, "SIGKILL");
  await vi.advanceTimersByTimeAsync(0);
  tree.forked[2]?.exit(EXIT.crashed);
  await vi.advanceTimersByTimeAsync(0);

  tree.supervisor.adjust("worker", -1);

  // Time for the next try of the one that does not start.
  await vi.advanceTimersByTimeAsync(2_000);
  expect(tree.forked).toHaveLength(3);
  expect(tree.forked[1]?.sent).not.toContainEqual(expect.objectContaining({ type: "drain" }));
});

test("workers that are busy for a minute become more, up to the most", async () => {
  await using tree = await startTree(2, { min: 2, max: 3 });

  await beatFor(59, tree.forked, 90);
  expect(tree.forked).toHaveLength(2);
  await beatFor(2, tree.forked, 90);
  expect(tree.forked).toHaveLength(3);
  tree.forked[2]?.say({ type: "ready" });
  await beatFor(120, tree.forked, 90);

  expect(tree.forked).toHaveLength(3);
  const last = snapshotsOf(tree.forked[0]).at(-1);
  expect(last?.processes.map(({ kind, id }) => `${kind} ${id}`)).toEqual([
    "primary 1",
    "worker 1",
    "worker 2",
    "worker 3",
  ]);
  expect(last?.marks).toMatchObject([{ type: "scale", detail: "2 → 3 workers: workers 90 % busy" }]);
});

test("a worker that is one too many drains, is shown until it is gone, and its place is free again", async () => {
  await using tree = await startTree(3, { min: 2, max: 3 });

  await beatFor(61, tree.forked, 5);

  expect(tree.forked.map(({ sent }) => sent.at(-1)?.type)).toEqual(["snapshot", "snapshot", "drain"]);
  expect(snapshotsOf(tree.forked[0]).at(-1)?.processes.at(-1)).toMatchObject({ id: 3, state: "draining", leaving: 0 });
  tree.forked[2]?.exit(0);
  await vi.advanceTimersByTimeAsync(50);
  expect(
    snapshotsOf(tree.forked[0])
      .at(-1)
      ?.processes.map(({ id }) => id),
  ).toEqual([1, 1, 2]);
});

test("an added worker that does not boot is tried again for ever, and ends nothing", async () => {
  await using tree = await startTree(2, { min: 2, max: 3 });
  await beatFor(61, tree.forked, 90);

  for (let failure = 1; failure <= 6; failure += 1) {
    tree.forked.at(-1)?.exit(EXIT.config);
    await beatFor(10, tree.forked.slice(0, 2), 60);
  }

  expect(tree.forked.length).toBeGreaterThan(6);
  expect(tree.hopeless).not.toHaveBeenCalled();
});

test("one more by hand stays, whatever the load is", async () => {
  await using tree = await startTree(2, { min: 1, max: 2 });

  tree.supervisor.adjust("worker", 1);
  tree.forked[2]?.say({ type: "ready" });
  await beatFor(180, tree.forked, 0);

  expect(snapshotsOf(tree.forked[0]).at(-1)?.processes).toHaveLength(4);
});

const ask = (about: string) => ({ type: "request", request: { to: "primary", name: "scale", about } }) as const;

test("a worker may ask for a number of processes, within bounds", async () => {
  await using tree = await startTree(2, { min: 1, max: 2 });
  for (const about of ["worker=3; rm", "primary=3", "simulator=9", "worker=", "worker=-1"])
    tree.forked[0]?.say(ask(about));
  expect(tree.forked).toHaveLength(2);

  tree.forked[0]?.say(ask("worker=4"));
  expect(tree.forked).toHaveLength(4);
  for (const child of tree.forked.slice(2)) child.say({ type: "ready" });
  await beatFor(180, tree.forked, 0);
  expect(snapshotsOf(tree.forked[0]).at(-1)?.processes).toHaveLength(5);
});

test("a fixed number is advised in the snapshot, not changed", async () => {
  await using tree = await startTree(4);

  await beatFor(301, tree.forked, 82);

  expect(tree.forked).toHaveLength(4);
  expect(snapshotsOf(tree.forked[0]).at(-1)?.advice).toEqual([
    { machine: "here", kind: "worker", count: 6, text: "workers 82 % busy for 5 min: 6 would be 55 %" },
  ]);
});
