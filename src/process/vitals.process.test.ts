/** Vitals that only real processes on real cores have. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = promisify(execFile);
const SPIN = join(import.meta.dirname, "fixtures", "spin.ts");

test.runIf(process.platform === "linux")(
  "two processes that share a core are each told that they lack one",
  async () => {
    // A container may not have core 0.
    const [, core = ""] = /^Cpus_allowed_list:\s*(\d+)/m.exec(await readFile("/proc/self/status", "utf8")) ?? [];
    const spin = async () => {
      const { stdout } = await run("taskset", ["-c", core, process.execPath, SPIN]);
      return JSON.parse(stdout) as { readonly busy_percent: number; readonly cpu_granted_percent: number };
    };

    for (const { busy_percent, cpu_granted_percent } of await Promise.all([spin(), spin()])) {
      expect(busy_percent).toBeGreaterThan(90);
      expect(cpu_granted_percent).toBeGreaterThan(0);
      expect(cpu_granted_percent).toBeLessThan(80);
    }
  },
);
