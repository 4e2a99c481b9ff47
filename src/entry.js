/**
 * The way in for any Node ≥ 20: a Node that can run TypeScript goes on to `primary.ts`, an older one hands
 * itself over to the Node that npm installed beside the dependencies. Called by `run-dev.js` and
 * `run-production.js`. Plain JavaScript with nothing newer than Node 20.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
// As a whole: Node 20 has no enableCompileCache to import by name.
import * as nodeModule from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const FIRST_NODE_WITH_ALL_WE_NEED = 24;
const BUNDLED_NODE = join(dirname(fileURLToPath(import.meta.url)), "../node_modules/.bin/node");
const COMPILE_CACHE = join(dirname(fileURLToPath(import.meta.url)), "../node_modules/.cache/evenkeel");
const HANDED_OVER = "EVENKEEL_HANDED_OVER";
const EX_USAGE = 64;
const EX_CONFIG = 78;

/** @param {"dev" | "production"} mode */
export async function runEntry(mode) {
  const [argument] = process.argv.slice(2);
  if (argument !== undefined) refuse(argument, mode);
  if (Number.parseInt(process.versions.node, 10) < FIRST_NODE_WITH_ALL_WE_NEED) return handOver();
  // Types stripped and code compiled once, for this and every later process: [start to ready 1.3 s → 0.7 s].
  nodeModule.enableCompileCache(COMPILE_CACHE);
  if (process.env[HANDED_OVER]) {
    // The older Node is what people see and kill: when it is gone, even by kill -9, so are we.
    const { startWatchdog } = await import("./process/watchdog.ts");
    startWatchdog();
  }
  const { runPrimary } = await import("./primary.ts");
  await runPrimary(mode);
}

/** @param {string} argument @param {"dev" | "production"} mode */
function refuse(argument, mode) {
  console.error(
    `evenkeel takes no arguments, got "${argument}". Settings are environment variables, e.g.\n` +
      `  PORT=9000 node run-${mode}\nThe README lists them all.`,
  );
  process.exit(EX_USAGE);
}

/** Runs the same command under the bundled Node: stdio, signals and the exit code pass through. */
function handOver() {
  if (!existsSync(BUNDLED_NODE)) {
    console.error(
      `evenkeel needs Node ≥ 24, this is ${process.version}. Run \`npm ci\`, which installs one, or upgrade Node.`,
    );
    process.exit(EX_CONFIG);
  }
  const child = spawn(BUNDLED_NODE, process.argv.slice(1), {
    stdio: "inherit",
    env: { ...process.env, [HANDED_OVER]: "1" },
  });
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR2"])) {
    process.on(signal, () => child.kill(signal));
  }
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal ?? "SIGKILL"]));
}
