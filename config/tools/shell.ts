/**
 * Runs a shell command in the workspace folder, in a process of its own that ends with the call. It is off unless
 * SHELL_TOOL=on is set: whoever may talk to an agent that has it may run anything that your user may run.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { defineTool, z } from "evenkeel";

const MAX_CHARACTERS = 64 * 1024;

export const tool = defineTool({
  description:
    "Runs a command with /bin/sh in the workspace folder. Gives its output (the last 64,000 characters) and exit code.",
  input: z.object({ command: z.string().min(1).max(10_000) }),
  isolation: "process",
  timeoutMs: 120_000,
  run: async ({ command }, { signal }) => {
    if (process.env["SHELL_TOOL"] !== "on") throw new Error("The shell is off. The operator can set SHELL_TOOL=on.");
    const cwd = resolve(process.env["WORKSPACE_DIR"] ?? "workspace");
    await mkdir(cwd, { recursive: true });
    const child = spawn("/bin/sh", ["-c", command], { cwd, signal, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        output = (output + text).slice(-MAX_CHARACTERS);
      });
    // When `signal` aborts, the child says so with an `error` event, and `once` rejects.
    const [code, killedBy] = (await once(child, "close")) as [number | null, string | null];
    return `${output}\n[${killedBy === null ? `exit code ${code}` : `ended by ${killedBy}`}]`;
  },
});
