import { expect, test } from "vitest";
import { agent, historyOf, process, snapshot, START } from "./history-fixture.ts";
import { History, isMeasured, sumOf, type ProcessInfo, type Snapshot } from "./history.ts";

function machine(name: string, state: "live" | "silent" = "live") {
  return { machine: name, version: "1.0.0", state, age_ms: 0 };
}

function answeredBy(name: string, machines: Snapshot["machines"]): Snapshot {
  const primary = process({ machine: name, kind: "primary", pid: 2 });
  return snapshot(1, [primary], { at: START + 52_000, machine: name, machines });
}

function counted(at: number, tokens: number, pid: number): Snapshot {
  return snapshot(at, [process({ kind: "agent", pid, gauges: { output_tokens: tokens } })]);
}

test("five minutes are kept, and no more", () => {
  const history = new History();
  for (let n = 1; n <= 1_000; n += 1) history.add(snapshot(n));

  expect(history.times()).toHaveLength(301);
  expect(history.times().at(-1)).toBe((START + 1_000_000) / 1_000);
  expect(history.lastSeq).toBe(1_000);
});

test("snapshots that come faster than once a second are bounded by number", () => {
  const history = new History();
  for (let n = 1; n <= 5_000; n += 1) history.add(snapshot(n, [], { at: START + n * 10 }));

  expect(history.times().length).toBeLessThanOrEqual(900);
});

test("what is sent again after a reconnect counts once", () => {
  const history = historyOf(...[1, 2, 3, 2, 3, 4].map((n) => snapshot(n)));

  expect(history.times()).toHaveLength(4);
});

test("a line breaks where nothing is known", () => {
  const history = historyOf(snapshot(1), snapshot(2), snapshot(3, [process()], { at: START + 30_000 }));

  expect(history.series(({ seq }) => seq)).toEqual([1, 2, null, 3]);
  expect(history.times()).toEqual(history.times().toSorted((a, b) => a - b));
});

test("a server that was started anew counts from 1, goes on in the same history, and is marked", () => {
  const before = process({ kind: "primary", pid: 1 });
  const after = process({ kind: "primary", pid: 2 });
  const history = historyOf(snapshot(50, [before]), snapshot(1, [after], { at: START + 52_000 }));

  expect(history.times()).toHaveLength(2);
  expect(history.lastSeq).toBe(1);
  expect(history.marks).toEqual([
    {
      machine: "here",
      id: -START - 52_000,
      at: START + 52_000,
      type: "start",
      process: "primary",
      detail: "the server was started anew",
    },
  ]);
});

test("another machine that answers from now on is no start, unless the machine that answered before is gone", () => {
  const before = snapshot(50, [process({ kind: "primary" })]);

  const moved = historyOf(before, answeredBy("there", [machine("there"), machine("here")]));
  const gone = historyOf(before, answeredBy("there", [machine("there"), machine("here", "silent")]));

  expect(moved.marks).toEqual([]);
  expect(gone.marks).toMatchObject([{ type: "start" }]);
});

test("gauges are summed over machines, except what each primary counts for all", () => {
  const machines = [machine("here"), machine("there")];
  const processes = machines.flatMap(({ machine: name }) => [
    process({ machine: name, kind: "primary", gauges: { runs_queued: 3 } }),
    process({ machine: name, gauges: { viewers: 2 } }),
  ]);
  const both = snapshot(1, processes, { machines });

  expect(sumOf(both, "worker", "viewers")).toBe(4);
  expect(sumOf(both, "primary", "runs_queued")).toBe(3);
});

test("a clock that was set back begins a new history instead of freezing the old one", () => {
  const history = historyOf(snapshot(50), snapshot(51, [process()], { at: START }));

  expect(history.times()).toEqual([START / 1_000]);
});

const death = {
  machine: "here",
  id: 1,
  at: START + 4_200,
  type: "death",
  process: "agent 2",
  detail: "SIGKILL",
} as const;

test("marks are those of the newest snapshot, whether this page was there or not", () => {
  const late = historyOf(snapshot(5, [process()], { marks: [death] }));

  expect(late.marks).toEqual([death]);
  late.add(snapshot(6));
  expect(late.marks).toEqual([]);
});

test("marks of a server before the one of now leave with their time", () => {
  const [first, second] = [1, 2].map((pid) => process({ kind: "primary", pid }));
  const history = historyOf(snapshot(5, [first ?? process()], { marks: [death] }), snapshot(6, [second ?? process()]));
  expect(history.marks.map(({ type }) => type)).toEqual(["death", "start"]);

  for (let n = 7; n <= 400; n += 1) history.add(snapshot(n, [second ?? process()]));

  expect(history.marks).toEqual([]);
});

test("marks of another machine are there once when this machine was started anew", () => {
  const elsewhere = { ...death, machine: "there" };
  const all = { marks: [death, elsewhere], machines: [machine("here"), machine("there")] };
  const again = { machine: "again", marks: [elsewhere], machines: [machine("again"), machine("there")] };

  const history = historyOf(snapshot(5, [process()], all), snapshot(6, [process({ machine: "again" })], again));

  expect(history.marks.map(({ machine, type }) => `${machine} ${type}`)).toEqual([
    "here death",
    "again start",
    "there death",
  ]);
});

test("snapshots that the server kept further apart make no gap", () => {
  const apart = historyOf(snapshot(1), snapshot(7), snapshot(13));

  expect(apart.series(() => 1)).toEqual([1, 1, 1]);
});

test("a count that another machine knows from earlier is no growth, and that of a new process is", () => {
  const history = historyOf(counted(1, 1_000, 7), counted(2, 900, 7), counted(3, 40, 8));

  // The rate is taken over two seconds.
  expect(history.rate("agent", "output_tokens")).toEqual([null, 0, 20]);
});

test("two snapshots in the same moment make no flood", () => {
  const history = historyOf(snapshot(1, [agent(1, 0)]), snapshot(2, [agent(1, 50)], { at: START + 1_050 }));

  expect(history.rate("agent", "output_tokens")).toEqual([null, null]);
});

test("a fresh child is not measured yet, and one that is gone is not any more", () => {
  const fresh = process({ uptime_s: 0, rss_bytes: 0, cpu_percent: 0 });
  const gone = process({ pid: null, state: "restarting" });

  expect([process(), fresh, gone].map(isMeasured)).toEqual([true, false, false]);
});

test("a steady rate of a machine that reports every two seconds is shown as steady", () => {
  const machines = [machine("here"), machine("there")];
  const history = historyOf(...Array.from({ length: 60 }, (_, n) => snapshot(n, [reported(n)], { machines })));

  const rates = history.rate("agent", "output_tokens").slice(20);

  expect(rates).toEqual(rates.map(() => 20));
});

/** An agent of another machine in the n-th second: 20 tokens a second, told every other second. */
function reported(n: number): ProcessInfo {
  return { ...agent(1, 2 * 20 * Math.floor(n / 2)), machine: "there" };
}
