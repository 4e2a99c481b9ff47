import { join } from "node:path";
import { defineConfig } from "vitest/config";
import manifest from "./package.json" with { type: "json" };

/** Vite does not resolve a package's own name by its `exports`: files of `config/` import "evenkeel". */
const OURSELVES = Object.entries(manifest.exports).flatMap(([path, target]) =>
  typeof target === "string"
    ? []
    : [
        {
          find: new RegExp(`^evenkeel${path.slice(1)}$`),
          replacement: join(import.meta.dirname, target["evenkeel-source"]),
        },
      ],
);

/** They start servers and browsers; the others need only the code. */
const PROCESS_TESTS = "src/**/*.{process,browser}.test.ts";

export default defineConfig({
  resolve: { alias: OURSELVES },
  test: {
    reporters: ["default", "./src/testing/not-run-reporter.ts"],
    // Process tests fork whole clusters; more files at once than cores only makes them wait for each other.
    maxWorkers: 2,
    // Only patience, as below: how fast something is, is a question for the bench.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Only patience: on a busy machine, vitest's own second is too short.
    expect: { poll: { timeout: 10_000 } },
    setupFiles: ["./src/testing/patience.ts"],
    projects: [
      { extends: true, test: { name: "processes", include: [PROCESS_TESTS] } },
      {
        extends: true,
        test: {
          name: "code",
          include: ["src/**/*.test.ts", "chaos/**/*.test.ts", "bench/**/*.test.ts"],
          exclude: [PROCESS_TESTS],
          // These files share the processes of the test runner, because loading the server's code anew took a file
          // about a second. [30 files of src/worker: 40 s of a core in place of 68 s]
          isolate: false,
        },
      },
    ],
  },
});
