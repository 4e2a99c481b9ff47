import { expect, test } from "vitest";
import { paceOf, readReport, reportOf, showMachines, type OtherMachine } from "./machines.ts";
import { NO_VITALS } from "./child.ts";
import type { OwnProcess } from "./protocol.ts";

const OWN = { machine: "here", version: "1.0.0" };

function makeProcess(fields: Partial<OwnProcess> = {}): OwnProcess {
  const place = { kind: "worker", id: 1, pid: 100, state: "ready", uptime_s: 10 } as const;
  return { ...NO_VITALS, ...place, restarts: 0, gauges: {}, last_exit: null, leaving: 0, ...fields };
}

function other(machine: string, reportedAt: number, fields: Partial<OtherMachine> = {}): OtherMachine {
  return { machine, reportedAt, version: "1.0.1", processes: [makeProcess({ id: 7 })], advice: [], ...fields };
}

function show(...others: OtherMachine[]) {
  return showMachines({ own: OWN, processes: [makeProcess()], advice: [], others, now: 1_000_000 });
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

  const report = readReport(reportOf(OWN, [makeProcess({ gauges })], []));

  expect(report).toEqual({
    version: "1.0.0",
    processes: [makeProcess({ gauges: { health_p99_ms: 4 } })],
    advice: [],
  });
});

test("a report is bounded, however many processes there are", () => {
  const many = Array.from({ length: 512 }, (_, id) => makeProcess({ id }));

  expect(readReport(reportOf(OWN, many, [])).processes).toHaveLength(64);
});

test("what is no report of this version shows no process", () => {
  for (const text of ["", "null", "[]", '{"version":"2.0.0","processes":[{}],"advice":[]}']) {
    expect(readReport(text)).toEqual({ version: "unknown", processes: [], advice: [] });
  }
});

test("many machines report less often", () => {
  expect([1, 3, 20, 50].map(paceOf)).toEqual([2_000, 2_000, 2_000, 5_000]);
});
