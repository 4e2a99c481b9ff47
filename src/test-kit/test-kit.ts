/**
 * `import { startTestServer } from "evenkeel/testing"`: a whole server for a test of your agents, in node:test, vitest
 * or any other runner. It has processes, a port and data of its own, and ends with the test.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Evenkeel } from "../client/client.ts";
import { programEnv } from "../environment.ts";
import { ROOT } from "../tree.ts";
import { startScriptedModel, type ModelRequest, type ScriptedAnswers } from "./scripted-model.ts";

export type { ModelRequest, ScriptedAnswer, ScriptedAnswers } from "./scripted-model.ts";

export interface TestServerOptions {
  /** The answers of the model. Without them the simulated model answers, which obeys `/sim` lines of a message. */
  readonly answers?: ScriptedAnswers;
  /** The folder that has `config/`; by default the current one. */
  readonly project?: string;
  /** More settings, and variables for `config/`. Neither `.env` nor the test's own environment is read. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface TestServer extends AsyncDisposable {
  /** For example "http://127.0.0.1:40123". */
  readonly url: string;
  readonly client: Evenkeel;
  /** The requests to the scripted model so far, oldest first. */
  readonly requests: readonly ModelRequest[];
  /** The output of the server. */
  log(): string;
  /** The same as leaving the scope of `await using`. */
  stop(): Promise<void>;
}

const COMMAND = join(ROOT, "bin/evenkeel.js");
const READY = /^ *url +(http:\/\/\S+)$/m;
const START_MS = 60_000;
const END_MS = 10_000;

/** Resolves when the server serves. @throws Error with what the server printed, if it does not start */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const { answers, project = ".", env = {} } = options;
  await using starting = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), "evenkeel-test-"));
  starting.defer(() => rm(dataDir, { recursive: true, force: true }));
  const model = answers && starting.use(await startScriptedModel(answers));
  const settings = { HOST: "127.0.0.1", PORT: "0", WORKERS: "1", AGENTS: "1", DATA_DIR: join(dataDir, "data") };
  const child = spawn(process.execPath, [COMMAND, "start"], {
    // The folder has no `.env`, which might hold a key of the real model.
    cwd: dataDir,
    env: {
      ...programEnv(),
      ...settings,
      CONFIG_DIR: resolve(project, "config"),
      ...(model && { ANTHROPIC_BASE_URL: model.url, ANTHROPIC_API_KEY: "scripted" }),
      // The server ends with its parent, as it does under an older Node, even when the test's process is killed.
      EVENKEEL_HANDED_OVER: "1",
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  starting.defer(() => end(child));
  let said = "";
  const hear = (text: string) => (said += text);
  child.stdout.setEncoding("utf8").on("data", hear);
  child.stderr.setEncoding("utf8").on("data", hear);
  const url = await urlOf(child, () => said);
  const owned = starting.move();
  const stop = () => owned.disposeAsync();
  return {
    url,
    client: new Evenkeel({ baseUrl: url }),
    requests: model?.requests ?? [],
    log: () => said,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function urlOf(child: ChildProcess, said: () => string): Promise<string> {
  const { promise, resolve: found, reject } = Promise.withResolvers<string>();
  const fail = (why: string) => reject(new Error(`evenkeel ${why}:\n${said()}`));
  const timer = setTimeout(() => fail(`was not ready within ${START_MS} ms`), START_MS);
  child.stdout?.on("data", () => {
    const [, url] = READY.exec(said()) ?? [];
    if (url !== undefined) found(url);
  });
  child.once("error", (error) => fail(`cannot be started (${error.message})`));
  child.once("close", () => fail("did not start"));
  return promise.finally(() => clearTimeout(timer));
}

/** Asks the server to end, and kills it if needed, because a run of the test may still be under way. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), END_MS);
  await exited;
  clearTimeout(timer);
}
