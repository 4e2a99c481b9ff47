/** In a process of its own each, as the bench has: `bounded` kills everything below its process. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { FREE_MS } from "./bounded.ts";
import { isAlive } from "./usage.ts";

const LIMIT_MS = 500;
/** Prints what the question ended with, the pids below the process, and the folder that it made. */
const PROGRAM = `
  import { spawn } from "node:child_process";
  import { once } from "node:events";
  import { bounded, reasonOf } from ${JSON.stringify(join(import.meta.dirname, "bounded.ts"))};
  import { Processes } from ${JSON.stringify(join(import.meta.dirname, "processes.ts"))};
  const said = { pids: [], folder: "", reason: "", words: [], endedMs: 0 };
  {
    await using processes = new Processes();
    said.folder = processes.folder();
    const stranger = spawn("sleep", ["600"]);
    const known = processes.start({ args: ["-e", "setInterval(() => {}, 1000)"] });
    said.pids = [stranger.pid, known.pid];
    const startedAt = performance.now();
    const work = async () => { QUESTION };
    await bounded({ processes, limitMs: ${LIMIT_MS} }, work).catch((error) => (said.reason = reasonOf(error)));
    said.words = processes.takeWords();
    said.endedMs = performance.now() - startedAt;
  }
  console.log(JSON.stringify(said));
`;

interface Said {
  readonly pids: readonly number[];
  readonly folder: string;
  readonly reason: string;
  readonly words: readonly string[];
  readonly endedMs: number;
}

test.each([
  [
    "does not end",
    'await once(stranger, "exit"); throw new Error("late")',
    `It did not end within ${LIMIT_MS / 1_000} s`,
  ],
  ["throws where nobody awaits it", 'void Promise.reject(new Error("lost")); await once(stranger, "exit")', "lost"],
  ["throws", 'throw new Error("POST failed", { cause: new Error("refused") })', "POST failed (refused)"],
])("a question that %s is over soon, says why, and leaves no process and no folder", (_how, question, reason) => {
  const said = ask(question);
  expect(said.reason).toContain(reason);
  expect(said.words).toEqual([]);
});

test("a process that ended by itself is named", () => {
  const said = ask('process.kill(known.pid, "SIGKILL"); await once(known.child, "exit"); throw new Error("no answer")');
  expect(said.words).toEqual([expect.stringContaining("ended by itself: SIGKILL")]);
});

function ask(question: string): Said {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["--input-type=module", "-e", PROGRAM.replace("QUESTION", question)],
    { encoding: "utf8", timeout: 20_000 },
  );
  expect(stderr).toBe("");
  const said = JSON.parse(stdout) as Said;
  // The question freed what it held: nobody gave up on it.
  expect(said.endedMs).toBeLessThan(FREE_MS);
  expect(said.pids.filter(isAlive)).toEqual([]);
  expect(existsSync(said.folder)).toBe(false);
  return said;
}
