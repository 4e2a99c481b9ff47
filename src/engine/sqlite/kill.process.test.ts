import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { journalOf, numbersTo } from "../contract/setup.ts";
import type { Engine } from "../engine.ts";
import { Forked } from "./fixtures/forked.ts";
import { makeFolder, openAt } from "./test-data.ts";

const KILLED = new URL("./fixtures/killed.ts", import.meta.url);

// The number of acknowledged writes after which each process is killed.
const KILL_AFTER = [1, 3, 5, 8, 13, 21, 34, 55, 89, 144];

test("nothing that a killed process was told is stored is lost, and the file is sound", async () => {
  await using folder = await makeFolder();
  const acknowledged: string[] = [];

  for (const [kill, after] of KILL_AFTER.entries()) {
    // Every other time another process has the file open meanwhile, because SQLite recovers differently then.
    await using survivor = kill % 2 === 0 ? undefined : await openAt(folder.path);
    const lines = await killAfter(folder.path, after);
    expect(lines.length).toBeGreaterThanOrEqual(after);
    acknowledged.push(...lines);
    await survivor?.close();
    expect(integrityOf(folder.dbPath)).toBe("ok");
  }

  await using engine = await openAt(folder.path);
  expect(await lost(engine, acknowledged)).toEqual([]);
});

/** Returns every line that the process wrote before it died. */
async function killAfter(dataDir: string, acknowledgements: number): Promise<string[]> {
  await using child = new Forked(KILLED, dataDir);
  const lines: string[] = [];
  for await (const line of child.lines()) {
    lines.push(line);
    if (lines.length === acknowledgements) child.kill();
  }
  expect(await child.exitCode()).toBeNull();
  return lines;
}

function integrityOf(path: string): unknown {
  using db = new DatabaseSync(path);
  return db.prepare("PRAGMA integrity_check").get()?.["integrity_check"];
}

/** The acknowledged writes that the file does not have. */
async function lost(engine: Engine, acknowledged: readonly string[]): Promise<string[]> {
  const texts = new Map<string, Set<string>>();
  const missing: string[] = [];
  for (const line of acknowledged) {
    const [what, runId = "", number = ""] = line.split(" ");
    if (!texts.has(runId)) texts.set(runId, await textsOf(engine, runId));
    const found = what === "run" ? await engine.run(runId) : texts.get(runId)?.has(number);
    if (!found) missing.push(line);
  }
  return missing;
}

async function textsOf(engine: Engine, runId: string): Promise<Set<string>> {
  const journal = await journalOf(engine, runId);
  expect(journal.map(({ seq }) => seq)).toEqual(numbersTo(journal.length));
  return new Set(journal.map((event) => String(event["delta"]).replace(/x+$/, "")));
}
