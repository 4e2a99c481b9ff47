import { expect, test } from "vitest";
import { paceOf, readReport, reportOf, showMachines, type OtherMachine, type Own } from "./machines.ts";
import { NO_VITALS } from "./no-vitals.ts";
import type { OwnMark, OwnProcess } from "./protocol.ts";

const OWN = { machine: "here", version: "1.0.0" };

function makeProcess(fields: Partial<OwnProcess> = {}): OwnProcess {
  const place = { kind: "worker", id: 1, pid: 100, state: "ready", uptime_s: 10 } as const;
  return { ...NO_VITALS, ...place, restarts: 0, gauges: {}, last_exit: null, leaving: 0, ...fields };
}

function other(machine: string, reportedAt: number, fields: Partial<OtherMachine> = {}): OtherMachine {
  return {
    machine,
    reportedAt,
    version: "1.0.1",
    processes: [makeProcess({ id: 7 })],
    advice: [],
    marks: [],
    ...fields,
  };
}

const AT = 1_700_000_000_000;
const DEATH = { id: 3, type: "death", process: "worker 2", detail: "SIGKILL" } as const;

function here(processes: readonly OwnProcess[], marks: readonly OwnMark[] = []): Own {
  return { own: OWN, processes, advice: [], marks, at: AT };
}

function show(...others: OtherMachine[]) {
  return showMachines({ ...here([makeProcess()]), others, now: 1_000_000 });
}

test("each machine's processes and advice carry its name, the own ones first", () => {
  const advice = [{ kind: "worker", count: 6, text: "more" }] as const;

  const shown = show(other("there", 999_000, { advice }));

  expect(shown.machine).toBe("here");
  expect(shown.machines).toEqual([
    { machine: "here", version: "1.0.0", state: "live", age_ms: 0 },
    { machine: "there", version: "1.0.1", state: "live", age_ms: 1_000 },
  ]);
  expect(shown.processes.map(({ machine, id }) => [machine, id])).toEqual([
    ["here", 1],
    ["there", 7],
  ]);
  expect(shown.advice).toEqual([{ machine: "there", kind: "worker", count: 6, text: "more" }]);
});

test("a machine that missed three reports is silent: its processes are not shown, and in the end it is forgotten", () => {
  const [silent, forgotten] = [show(other("there", 1_000_000 - 6_000)), show(other("there", 1_000_000 - 300_000))];

  expect(silent.machines[1]).toMatchObject({ state: "silent", age_ms: 6_000 });
  expect(silent.processes.map(({ machine }) => machine)).toEqual(["here"]);
  expect(forgotten.machines).toHaveLength(1);
});

test("a report is read as it was made, without the gauges of single API keys", () => {
  const gauges = { health_p99_ms: 4, "requests_by_key:ana": 9 };

  const report = readReport(reportOf(here([makeProcess({ gauges })])));

  expect(report).toEqual({
    version: "1.0.0",
    processes: [makeProcess({ gauges: { health_p99_ms: 4 } })],
    advice: [],
    marks: [],
  });
});

test("marks of all machines stand in order, by the clock of the machine that shows them", () => {
  const there = reportOf({ ...here([]), at: AT + 9_000_000, marks: [{ ...DEATH, at: AT + 8_990_000 }] });
  const own = { ...DEATH, at: AT - 5_000 };

  const { marks } = showMachines({
    ...here([], [own]),
    others: [other("there", 999_000, { marks: readReport(there).marks })],
    now: 1_000_000,
  });

  // It happened 10 s before the report, which is 1 s old.
  expect(marks).toEqual([
    { ...DEATH, machine: "there", at: AT - 11_000 },
    { ...own, machine: "here" },
  ]);
});

test("marks are shown for five minutes, also of a machine that is silent, and few of each machine are reported", () => {
  const many = Array.from({ length: 64 }, (_, id) => ({ ...DEATH, id, at: AT - 64_000 + id * 1_000 }));
  const { marks: reported } = readReport(reportOf(here([], many)));
  expect(reported.map(({ id }) => id)).toEqual(Array.from({ length: 16 }, (_, n) => 48 + n));
  const noisy = Array.from({ length: 50 }, (_, n) => other(`m${n}`, 980_000, { marks: reported }));

  const { marks, machines } = showMachines({ ...here([], many), others: noisy, now: 1_000_000 });
  const old = showMachines({ ...here([]), others: [other("old", 710_000, { marks: reported })], now: 1_000_000 });

  expect(machines[1]?.state).toBe("silent");
  expect(marks.filter(({ machine }) => machine === "here")).toHaveLength(64);
  expect(marks).toHaveLength(128);
  // Reported 290 s ago, the newest mark is 291 s old, and that 10 s earlier is too old.
  expect(old.marks.map(({ id }) => id)).toEqual([55, 56, 57, 58, 59, 60, 61, 62, 63]);
});

test("a report of an older version lacks fields, one of a newer version has others: the rest is shown", () => {
  const { gauges: _gauges, leaving: _leaving, ...older } = makeProcess();
  const newer = { ...makeProcess({ id: 2 }), state: "asleep" };
  const text = JSON.stringify({ version: "0.9.0", processes: [older, newer], cells: [1] });

  expect(readReport(text)).toEqual({ version: "0.9.0", processes: [makeProcess()], advice: [], marks: [] });
});

test("a report is bounded, however many processes there are", () => {
  const many = Array.from({ length: 512 }, (_, id) => makeProcess({ id }));

  expect(readReport(reportOf(here(many))).processes).toHaveLength(64);
});

test("what is no report of this version shows no process", () => {
  for (const text of ["", "null", "[]", '{"processes":[{}],"advice":{},"marks":[null]}']) {
    expect(readReport(text)).toEqual({ version: "unknown", processes: [], advice: [], marks: [] });
  }
});

test("many machines report less often", () => {
  expect([1, 3, 20, 50].map(paceOf)).toEqual([2_000, 2_000, 2_000, 5_000]);
});
