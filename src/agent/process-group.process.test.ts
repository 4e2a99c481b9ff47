import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test, vi } from "vitest";
import { aliveOf } from "../testing/processes.ts";
import { ProcessGroup } from "./process-group.ts";

const OWNER = join(import.meta.dirname, "fixtures/group-owner.ts");
const NO_DESCRIPTORS = join(import.meta.dirname, "fixtures/no-descriptors.ts");

test("a killed owner leaves nothing of its group, and nothing that left the group", async () => {
  const owner = spawn(process.execPath, [OWNER], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(owner.stdout, "data")) as [Buffer];
  const pids = JSON.parse(line.toString()) as number[];
  expect(aliveOf(pids)).toHaveLength(3);

  owner.kill("SIGKILL");

  await vi.waitFor(() => expect(aliveOf(pids)).toEqual([]), { timeout: 5_000 });
});

test("a program whose input ends is given time to exit by itself", async () => {
  const group = new ProcessGroup({ command: "/bin/cat", args: [], env: {} });

  await group.stop(5_000);

  expect(await group.exited).toEqual({ code: 0, signal: null });
});

test("a program that ignores its input and SIGTERM is killed after both graces", async () => {
  const args = ["-c", "trap '' TERM; echo up; while :; do sleep 1; done"];
  const group = new ProcessGroup({ command: "/bin/sh", args, env: {} });
  await once(group.stdout, "data");

  await group.stop(50);

  expect(await group.exited).toEqual({ code: null, signal: "SIGKILL" });
});

test("a program that has killed its own group is gone, and stopping it ends", async () => {
  const group = new ProcessGroup({ command: "/bin/sh", args: ["-c", "kill -KILL 0"], env: {} });

  expect(await group.exited).toEqual({ code: null, signal: "SIGKILL" });
  await group.stop(1_000);
});

test.each([
  ["a command that does not exist", { command: "no-such-program" }, 127],
  ["a file that may not be run", { command: import.meta.filename }, 126],
  ["a folder that does not exist", { command: "true", cwd: "/no/such/folder" }, 126],
])("%s shows in the exit code", async (_what, options, code) => {
  const group = new ProcessGroup({ args: [], env: {}, ...options });

  expect(await group.exited).toEqual({ code, signal: null });
  await group.kill();
});

test("a process without free file descriptors is told so, and lives on", async () => {
  const args = ["-c", 'ulimit -n 64; exec "$@"', "sh", process.execPath, NO_DESCRIPTORS];

  const { stdout } = await promisify(execFile)("/bin/sh", args);

  expect(JSON.parse(stdout)).toEqual({
    first: expect.stringContaining("no file descriptors left"),
    second: { code: 0, signal: null },
  });
});
