/**
 * A server for one command, with the `config/` of this folder: the same processes, engine and loop, on a free port of
 * this machine, with data and a key of its own. It must never join the database that `.env` names: it would take runs
 * of the servers there.
 */
import { randomBytes } from "node:crypto";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { variablesHere } from "../environment.ts";
import { ROOT } from "../tree.ts";
import { CliError } from "./connection.ts";

const COMMAND = join(ROOT, "bin/evenkeel.js");
const READY = /^ *url +(http:\/\/\S+)$/m;

/** The server reads `.env`, too, so a setting that must not count is set to the empty text, which wins and is none. */
const ITS_OWN = {
  HOST: "127.0.0.1",
  PORT: "0",
  BASE_PATH: "",
  WORKERS: "1",
  AGENTS: "1",
  RELOAD: "false",
  LOG_LEVEL: "silent",
  DATABASE_URL: "",
  DATABASE_LISTEN_URL: "",
  DATABASE_POOL: "",
  DATABASE_PREPARE: "",
  REDIS_URL: "",
};

interface OwnServer extends AsyncDisposable {
  readonly url: string;
  /** The only key of API_KEYS there. */
  readonly key: string;
}

/** Rejects with the signal's reason when it aborts before the server is there. Nothing of the server is left then. */
export async function startOwnServer(signal: AbortSignal): Promise<OwnServer> {
  const dataDir = await mkdtemp(join(tmpdir(), "evenkeel-chat-"));
  const key = randomBytes(24).toString("hex");
  const settings = { ...ITS_OWN, API_KEYS: `chat:${key}`, DATA_DIR: dataDir };
  // The server gets a process group of its own: a Ctrl-C in the terminal then reaches only the command, which
  // ends the server itself.
  const child = spawn(process.execPath, [COMMAND, "start"], {
    // With this variable the server watches its parent, and ends with it even after a kill -9.
    env: { ...variablesHere(), ...settings, EVENKEEL_HANDED_OVER: "1" },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  const dispose = async () => {
    child.kill("SIGTERM");
    await exited;
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    return { url: await urlOf(child, signal), key, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

function urlOf(child: ReturnType<typeof spawn>, signal: AbortSignal): Promise<string> {
  const { stdout, stderr } = child;
  const { promise, resolve: found, reject } = Promise.withResolvers<string>();
  let said = "";
  stderr?.setEncoding("utf8").on("data", (text: string) => (said += text));
  stdout?.setEncoding("utf8").on("data", (text: string) => {
    said += text;
    const [, url] = READY.exec(said) ?? [];
    if (url !== undefined) found(url);
  });
  // Only then has it said all: the reason is on stderr, which may end after stdout.
  child.on("close", () => reject(new CliError(said.trim())));
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  return promise.finally(() => signal.removeEventListener("abort", onAbort));
}
