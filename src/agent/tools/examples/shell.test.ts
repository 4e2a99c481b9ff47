import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { tool } from "../../../../config/tools/shell.ts";
import { runTool } from "../../../testing/run-tool.ts";

test("it is off unless the operator turns it on", async () => {
  await expect(runTool(tool, { command: "true" })).rejects.toThrow("SHELL_TOOL=on");
});

test("a command runs in the workspace, and its output and exit code come back", async () => {
  await turnOn();

  expect(await runTool(tool, { command: "echo here; echo bad >&2; exit 3" })).toMatch(/^here\nbad\n\n\[exit code 3\]$/);
  expect(await runTool(tool, { command: "head -c 200000 /dev/zero | tr '\\0' x" })).toMatch(
    /^x{65536}\n\[exit code 0\]$/,
  );
});

test("a command ends with its call", async () => {
  await turnOn();

  await expect(runTool(tool, { command: "sleep 60" }, AbortSignal.timeout(100))).rejects.toThrow("aborted");
});

async function turnOn(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "evenkeel-shell-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  vi.stubEnv("SHELL_TOOL", "on");
  vi.stubEnv("WORKSPACE_DIR", folder);
  onTestFinished(() => void vi.unstubAllEnvs());
}
