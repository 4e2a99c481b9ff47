import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { SNAPSHOT } from "../api/system.ts";
import { renderMetrics } from "../observe/metrics.ts";
import { readSnapshot } from "./from-primary.ts";

/** Recorded from a server of the version before snapshots named machines, after one of its workers was killed. */
const OLDER = JSON.parse(readFileSync(new URL("fixtures/older-snapshot.json", import.meta.url), "utf8"));

test("a snapshot of an older primary is read as one of ours, with one machine", () => {
  const snapshot = readSnapshot(OLDER);

  expect(SNAPSHOT.parse(snapshot)).toEqual(snapshot);
  expect(snapshot.machines).toEqual([{ machine: "local", version: "unknown", state: "live", age_ms: 0 }]);
  expect(snapshot.processes.map(({ kind, machine }) => `${machine} ${kind}`)).toContain("local primary");
  expect(snapshot.marks).toMatchObject([{ machine: "local", type: "death" }]);
});

test("/metrics can be rendered of it", async () => {
  const { text } = await renderMetrics(readSnapshot(OLDER));

  expect(text).toContain('evenkeel_process_resident_memory_bytes{kind="worker",id="1"}');
  expect(text).toContain('evenkeel_build_info{version="unknown",machine="local"} 1');
});

test("a snapshot of our own version stays as it is", () => {
  const snapshot = readSnapshot(OLDER);

  expect(readSnapshot(snapshot)).toEqual(snapshot);
});

test("what a snapshot may lack is filled in, whichever field it is", () => {
  const { seq, at, processes } = OLDER;
  const [{ kind, id, state }] = processes;

  const bare = readSnapshot({ seq, at, processes: [{ kind, id, state } as never] });

  expect(SNAPSHOT.parse(bare)).toEqual(bare);
  expect(SNAPSHOT.parse(readSnapshot({ seq, at })).processes).toEqual([]);
});
