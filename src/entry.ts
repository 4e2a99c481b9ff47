/**
 * The way in, called by `run-production.ts`, `run-dev.ts` and `evenkeel start | dev`: refuses arguments, takes the environment, and starts the
 * primary. Loads nothing large before the environment is clean, because the process image may be replaced for that.
 */
import { enableCompileCache, getCompileCacheDir } from "node:module";
import { join } from "node:path";
import { passOn, takeSurroundings } from "./environment.ts";
import { answerToOwnName } from "./own-name.ts";
import { isPlainSetting, type Mode } from "./settings.ts";
import { ROOT } from "./tree.ts";

/** Set by `bin/hand-over.js` for a process that an older Node handed over to. */
const HANDED_OVER = "EVENKEEL_HANDED_OVER";
const COMPILE_CACHE = "node_modules/.cache/evenkeel";
const EX_USAGE = 64;

export interface StartOptions {
  /** The folder that has `config/` and `node_modules/`; by default our own. */
  readonly project?: string;
  /** Arguments of the command line that no command used; there must be none. */
  readonly args?: readonly string[];
}

export async function start(
  mode: Mode,
  { project = ROOT, args = process.argv.slice(2) }: StartOptions = {},
): Promise<void> {
  // Node's own answer to SIGUSR1 is an inspector, open to every user of this machine.
  process.on("SIGUSR1", () => {});
  const [argument] = args;
  if (argument !== undefined) refuse(argument, mode);
  const surroundings = takeSurroundings(isHarmless);
  // Types stripped and code compiled once, for this and every later process: [start to ready 1.3 s → 0.7 s].
  enableCompileCache(join(project, COMPILE_CACHE));
  const cache = getCompileCacheDir();
  if (cache !== undefined) passOn("NODE_COMPILE_CACHE", cache);
  if (surroundings.env[HANDED_OVER] !== undefined) {
    // People see and kill the older Node. When it is gone, even by kill -9, this process must end too.
    const { startWatchdog } = await import("./process/watchdog.ts");
    startWatchdog();
  }
  answerToOwnName();
  const { runPrimary } = await import("./primary.ts");
  await runPrimary(mode, surroundings, project);
}

function isHarmless(name: string): boolean {
  return isPlainSetting(name) || name === HANDED_OVER;
}

function refuse(argument: string, mode: Mode): never {
  process.stderr.write(
    `evenkeel takes no arguments, got "${argument}". Settings are environment variables, e.g.\n` +
      `  PORT=9000 node run-${mode}\ndocs/settings.md lists them all.\n`,
  );
  process.exit(EX_USAGE);
}
