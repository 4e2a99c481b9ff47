/**
 * The only reader of the environment. `entry.ts` takes it once, at the start: the variables of the process and of
 * `.env` become a plain value, and `process.env` keeps only what every child, tool and MCP server may see.
 *
 * Linux shows the environment that a process was started with to every process of the same user, for as long as it
 * lives (`/proc/<pid>/environ`). A primary that was started with more than its children may see therefore replaces its
 * own image by one with a clean environment (execve: same pid), and finds its variables in a file without a name.
 */
import { closeSync, existsSync, openSync, readFileSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { isatty } from "node:tty";
import { parseEnv } from "node:util";
import { EXIT } from "./process/protocol.ts";

export type Env = Readonly<Record<string, string | undefined>>;

/** The data that the primary gets at its start, in either way. */
export interface Surroundings {
  /** The variables of the process and, where it sets no other value, of `.env`. */
  readonly env: Env;
  /** Epoch ms. */
  readonly startedAt: number;
  /** Whether stdin is a terminal: SIGHUP means then that the terminal is gone. */
  readonly isTerminal: boolean;
}

/**
 * What every process of the tree may see, and with it tools and what they start. No secret belongs here: a proxy's URL
 * may hold a password.
 */
const PASSED_ON: ReadonlySet<string> = new Set(
  [
    "PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TERM COLORTERM NO_COLOR FORCE_COLOR TMPDIR TMP TEMP LD_LIBRARY_PATH",
    "SSL_CERT_FILE SSL_CERT_DIR",
    // Listed by name, not as NODE_*: NODE_AUTH_TOKEN is a secret.
    "NODE_ENV NODE_OPTIONS NODE_PATH NODE_EXTRA_CA_CERTS NODE_USE_SYSTEM_CA NODE_USE_ENV_PROXY NODE_NO_WARNINGS",
    "NODE_COMPILE_CACHE NODE_DISABLE_COMPILE_CACHE NODE_ICU_DATA NODE_V8_COVERAGE NODE_DEBUG UV_THREADPOOL_SIZE",
    "NODE_TLS_REJECT_UNAUTHORIZED",
  ].flatMap((names) => names.split(" ")),
);

/** Variables of every shell. They contain no secret, so they alone are no reason to replace the image. */
const OF_EVERY_SHELL: ReadonlySet<string> = new Set(["PWD", "OLDPWD", "SHLVL", "_"]);

/** Says that the variables are in a file on stdin. */
const MARK = "EVENKEEL_ENVIRONMENT_ON_STDIN";
/** A folder in memory, if there is one. The file has no name while it has content. */
const MEMORY_FOLDER = "/dev/shm";
const STDIN = 0;

/** Whether every child, tool and MCP server sees this variable. */
export function isPassedOn(name: string): boolean {
  return PASSED_ON.has(name) || name.startsWith("LC_");
}

/**
 * Called once, before anything else reads `process.env`. Does not return where the image is replaced: the new one
 * calls it again.
 * @param isHarmless whether a variable is one of ours that is no secret
 */
export function takeSurroundings(isHarmless: (name: string) => boolean): Surroundings {
  const handed = takeHandedOver();
  if (handed) return handed;
  const startedAt = Math.round(performance.timeOrigin);
  const isTerminal = isatty(STDIN);
  const surroundings = { env: withFile(process.env), startedAt, isTerminal };
  const isExposed = Object.keys(process.env).some(
    (name) => !isPassedOn(name) && !OF_EVERY_SHELL.has(name) && !isHarmless(name),
  );
  keepPassedOn();
  if (isExposed) replaceImage(surroundings);
  return surroundings;
}

/** For the command line, which starts no children that must not see it: the variables of the process and of `.env`. */
export function variablesHere(): Env {
  return withFile(process.env);
}

/** For variables that every child must see too. */
export function passOn(name: string, value: string): void {
  process.env[name] = value;
}

/**
 * An environment for a tool, or for a program that an agent starts.
 * @param more names that the operator's config adds
 * @param variables where those are found: `toolEnv` of the settings
 */
export function programEnv(more: readonly string[] = [], variables: Env = process.env): Record<string, string> {
  const passed = Object.entries(process.env).filter(([name]) => isPassedOn(name));
  const added = more.map((name) => [name, variables[name]]).filter(([, value]) => value !== undefined);
  return Object.fromEntries([...passed, ...added]) as Record<string, string>;
}

/**
 * Runs `load` while `process.env` also has `variables`: `config/agents.ts` and `config/mcp.ts` may use any variable of
 * the operator's. Called while nothing else runs, at boot.
 */
export async function withVariables<T>(
  variables: Readonly<Record<string, string>>,
  load: () => Promise<T>,
): Promise<T> {
  Object.assign(process.env, variables);
  try {
    return await load();
  } finally {
    for (const name of Object.keys(variables)) delete process.env[name];
  }
}

/** Variables that are set already win over the file. */
function withFile(env: Env): Env {
  const file = resolve(".env");
  const fromFile = existsSync(file) ? parseEnv(textOf(file)) : {};
  return { ...fromFile, ...env };
}

/** Ends the process when the file cannot be read: no command means anything without its settings. */
function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // Docker makes a folder where the file of a mount is missing.
    const reason = code === "EISDIR" ? "it is a folder. Remove it, or put a file there" : message;
    process.stderr.write(`evenkeel: ${file} cannot be read: ${reason}.\n`);
    return process.exit(EXIT.config);
  }
}

function keepPassedOn(): void {
  for (const name of Object.keys(process.env)) if (!isPassedOn(name)) delete process.env[name];
}

/** The same program under the same pid, with a clean environment. Returns where the system cannot do that. */
function replaceImage(surroundings: Surroundings): void {
  if (typeof process.execve !== "function") return;
  const clean = { ...process.env, [MARK]: "1" } as Record<string, string>;
  const args = [process.argv0, ...process.execArgv, ...process.argv.slice(1)];
  try {
    putOnStdin(JSON.stringify(surroundings));
    process.execve(process.execPath, args, clean);
  } catch {
    // The system call or a writable folder is missing; docs/deployment.md says what the environment shows then.
    emptyStdin();
  }
}

/** Only the standard streams outlive execve. The lowest free descriptor is the one that was just closed. */
function putOnStdin(text: string): void {
  const folder = existsSync(MEMORY_FOLDER) ? MEMORY_FOLDER : tmpdir();
  const file = join(folder, `evenkeel-${process.pid}-${process.hrtime.bigint()}`);
  closeSync(STDIN);
  const fd = openSync(file, "wx+", 0o600);
  unlinkSync(file);
  if (fd !== STDIN) {
    closeSync(fd);
    throw new Error(`stdin became descriptor ${fd}`);
  }
  // Write at a position, so that the new image reads from the start.
  writeSync(fd, text, 0);
}

function takeHandedOver(): Surroundings | undefined {
  if (process.env[MARK] === undefined) return undefined;
  delete process.env[MARK];
  const text = readFileSync(STDIN, "utf8");
  emptyStdin();
  return JSON.parse(text) as Surroundings;
}

function emptyStdin(): void {
  try {
    closeSync(STDIN);
  } catch {
    // The descriptor is closed already, because the file that should have taken its place could not be created.
  }
  openSync("/dev/null", "r");
}
