/** The examples that are scripts, run as their first line says, against a real server. */
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { startServer } from "./testing/server.ts";

const ROOT = resolve(import.meta.dirname, "..");
const run = promisify(execFile);

test("the example for python tells an error of the run, and ends with 1", async () => {
  await using server = await startServer();
  const env = { ...process.env, EVENKEEL: `http://127.0.0.1:${server.port}` };

  const running = run("python3", ["examples/python/chat.py", "/sim status=400"], { cwd: ROOT, env });

  await expect(running).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining("400") as string });
});

test.each([
  ["node", ["examples/node/chat.ts"]],
  ["python3", ["examples/python/chat.py"]],
])("the example for %s streams the answer, also when its worker is killed in the middle", async (command, args) => {
  await using server = await startServer();
  const env = { ...process.env, EVENKEEL: `http://127.0.0.1:${server.port}` };
  const running = run(command === "node" ? process.execPath : command, [...args, "/sim tokens=80 rate=40"], {
    cwd: ROOT,
    env,
  });
  let said = "";
  let killed = false;
  running.child.stdout?.on("data", (text: string) => {
    said += text;
    if (killed || !said.includes("tok9")) return;
    killed = true;
    void server
      .processes("worker")
      .then((workers) => workers.forEach(({ pid }) => pid && process.kill(pid, "SIGKILL")));
  });
  const { stdout } = await running;
  expect(killed).toBe(true);
  expect(stdout.trim()).toBe(Array.from({ length: 80 }, (_, index) => `tok${index + 1}`).join(" "));
});
