import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { killLeftovers, killLeftoversOfTheDead, MARKER_VARIABLE, newMarker } from "./leftovers.ts";

function sleeper(marker: string): ChildProcess {
  const child = spawn("sleep", ["300"], { env: { [MARKER_VARIABLE]: marker }, detached: true, stdio: "ignore" });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

test("what is marked is killed, and what another host started is not", async () => {
  const marker = newMarker();
  const [mine, mineToo, other] = [sleeper(`${marker}:`), sleeper(`${marker}:7`), sleeper(`${marker}1:`)];
  const gone = Promise.all([once(mine, "exit"), once(mineToo, "exit")]);

  await killLeftovers(marker);

  await gone;
  expect(other.exitCode ?? other.signalCode).toBeNull();
});

test("what one call started is killed, and what another call of the same host started is not", async () => {
  const marker = newMarker();
  const [mine, other] = [sleeper(`${marker}:1`), sleeper(`${marker}:11`)];
  const gone = once(mine, "exit");

  await killLeftovers(`${marker}:1`);

  await gone;
  expect(other.exitCode ?? other.signalCode).toBeNull();
});

test("what a dead agent process left is killed, and what a living one started is not", async () => {
  const [left, mine] = [sleeper(`${markerOfTheDead()}:`), sleeper(`${newMarker()}:`)];
  const gone = once(left, "exit");

  await killLeftoversOfTheDead();

  await gone;
  expect(mine.exitCode ?? mine.signalCode).toBeNull();
});

const NEW_PIDS = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc"];
const canUnshare = spawnSync("unshare", [...NEW_PIDS, "true"]).status === 0;
const LEFTOVERS = join(import.meta.dirname, "leftovers.ts");

test.runIf(canUnshare)("what an agent in a container started is not killed by an agent of its host", async () => {
  // The agent's pid there, 1, lives here as well. A pid that is dead here takes its place.
  const code = `import(process.argv[1]).then(({ newMarker }) => console.log(newMarker()))`;
  const { stdout } = spawnSync("unshare", [...NEW_PIDS, process.execPath, "-e", code, LEFTOVERS]);
  const marker = String(stdout).trim();
  expect(marker).toMatch(/^1@\d+\.1$/);
  const theirs = sleeper(`${marker.replace("1@", `${deadPid()}@`)}:`);
  const left = sleeper(`${markerOfTheDead()}:`);
  const gone = once(left, "exit");

  await killLeftoversOfTheDead();

  await gone;
  expect(theirs.exitCode ?? theirs.signalCode).toBeNull();
});

/** The marker of an agent process of ours that has died. */
function markerOfTheDead(): string {
  return newMarker().replace(`${process.pid}@`, `${deadPid()}@`);
}

function deadPid(): number {
  return spawnSync("true").pid;
}
