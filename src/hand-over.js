/**
 * What `run-production.js` and `run-dev.js` do: run the TypeScript entry of the same name. A Node that is too old for
 * that hands over to the Node that npm installed beside the dependencies. Plain JavaScript with nothing newer than
 * Node 20.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const FIRST_NODE_WITH_ALL_WE_NEED = 24;
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const BUNDLED_NODE = join(ROOT, "node_modules/.bin/node");
const EX_CONFIG = 78;

/** Set for a process that an older Node handed over to. */
export const HANDED_OVER = "EVENKEEL_HANDED_OVER";

/** @param {"run-dev.ts" | "run-production.ts" | "src/cli/main.ts"} entry */
export async function run(entry) {
  if (Number.parseInt(process.versions.node, 10) < FIRST_NODE_WITH_ALL_WE_NEED) handOver(join(ROOT, entry));
  else await import(new URL(`../${entry}`, import.meta.url).href);
}

/**
 * Stdio, signals and the exit code pass through.
 * @param {string} entry
 */
function handOver(entry) {
  if (!existsSync(BUNDLED_NODE)) {
    console.error(
      `evenkeel needs Node ≥ 24, this is ${process.version}. Run \`npm ci\`, which installs one, or upgrade Node.`,
    );
    process.exit(EX_CONFIG);
  }
  const child = spawn(BUNDLED_NODE, [entry, ...process.argv.slice(2)], {
    stdio: "inherit",
    env: { ...process.env, [HANDED_OVER]: "1" },
  });
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR2", "SIGTTIN", "SIGTTOU"])) {
    process.on(signal, () => child.kill(signal));
  }
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal ?? "SIGKILL"]));
}
