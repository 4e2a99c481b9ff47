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

export default defineConfig({
  resolve: { alias: OURSELVES },
  test: {
    reporters: ["default", "./src/testing/not-run-reporter.ts"],
    include: ["src/**/*.test.ts", "chaos/**/*.test.ts"],
    // Process tests fork whole clusters; more files at once than cores only makes them wait for each other.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
