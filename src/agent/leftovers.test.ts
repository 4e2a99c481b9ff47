import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
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
  const { pid: dead } = spawnSync("true");
  const [left, mine] = [sleeper(`${dead}.1:`), sleeper(`${newMarker()}:`)];
  const gone = once(left, "exit");

  await killLeftoversOfTheDead();

  await gone;
  expect(mine.exitCode ?? mine.signalCode).toBeNull();
});
