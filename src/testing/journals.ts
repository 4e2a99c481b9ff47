/** Journals of every kind, as a real run left them: recorded files of the dashboard's tests. Called by tests of encoders. */
import { globSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { StoredEvent } from "../protocols/encoder.ts";

const FOLDER = resolve(import.meta.dirname, "../dashboard/run-view/fixtures");

/** name → events in order */
export function recordedJournals(): Map<string, StoredEvent[]> {
  return new Map(
    globSync("*.jsonl", { cwd: FOLDER }).map((file) => [basename(file, ".jsonl"), read(join(FOLDER, file))]),
  );
}

function read(file: string): StoredEvent[] {
  const lines = readFileSync(file, "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as StoredEvent);
}
