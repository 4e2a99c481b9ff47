/**
 * Reads the description of the tool in each file of `config/tools/`. A thread does so and then ends, because a file may
 * do anything when it is loaded, and the agent's event loop must not wait for it. Called once at boot.
 */
import { randomUUID } from "node:crypto";
import { readdir } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { ConfigError } from "../../config.ts";
import { TOOL_NAME } from "../../core/job.ts";
import { entryUrl } from "../../tree.ts";
import { killLeftovers, newMarker } from "../leftovers.ts";
import { guestEnv } from "./hosts/guest-env.ts";
import type { Tool } from "./invoke.ts";
import type { DefinedTool } from "./tool.ts";

/** The time for each file. */
const LOAD_MS = 10_000;

export interface ToolFile {
  readonly name: string;
  readonly path: string;
  /** URL of the file. */
  readonly source: string;
}

/** A tool as its file describes it: everything but its code. */
export interface DescribedTool
  extends Pick<Tool, "inputSchema">, Omit<DefinedTool, "input" | "run" | "timeoutMs" | "memoryMb"> {
  readonly file: ToolFile;
  readonly timeoutMs: number;
  readonly memoryMb: number;
}

/** The messages of the thread. */
export type DescribeNews =
  | { readonly type: "loading"; readonly file: ToolFile }
  | { readonly type: "described"; readonly tool: DescribedTool }
  | { readonly type: "refused"; readonly file: ToolFile; readonly reason: string }
  | { readonly type: "done" };

export interface DescribeTask {
  readonly files: readonly ToolFile[];
  /** Tells the thread's own messages from those that a tool's file sends, which has the same port. */
  readonly token: string;
}

/**
 * @throws ConfigError that lists every file that cannot be used, and why. An Error that a later start may not meet, when
 * a file only takes too long: the machine may be busy, or have slept
 */
export async function describeFiles(
  folder: string,
  env: Readonly<Record<string, string>>,
): Promise<readonly DescribedTool[]> {
  const files = await filesIn(folder);
  const problems = problemsOfNames(files);
  const { described, refused, late } = files.length > 0 ? await inThread(files, env) : NO_FILES;
  const mistakes = [...problems, ...refused];
  const all = [...mistakes, ...late].join("\n");
  if (mistakes.length > 0) throw new ConfigError(all);
  if (late.length > 0) throw new Error(all);
  return described;
}

async function filesIn(folder: string): Promise<ToolFile[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    // A folder without tools is allowed, and so is no folder at all.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new ConfigError(`${folder} cannot be read: ${(error as Error).message}`, error);
  });
  return names.filter(isTool).map((file) => {
    const path = join(folder, file);
    return { name: basename(file, extname(file)), path, source: pathToFileURL(path).href };
  });
}

function problemsOfNames(files: readonly ToolFile[]): string[] {
  const misnamed = files.filter(({ name }) => !TOOL_NAME.test(name));
  const twice = files.filter(({ name }, index) => files.findIndex((other) => other.name === name) < index);
  return [
    ...misnamed.map(({ path }) => `${path}: a tool is named like its file, in letters, digits, _ and -, 128 at most.`),
    ...twice.map(({ path, name }) => `${path}: there is another file for a tool ${name}; rename one of them.`),
  ];
}

function isTool(file: string): boolean {
  return /\.[jt]s$/.test(file) && !/(\.test|\.d)\.[jt]s$/.test(file);
}

interface Described {
  readonly described: readonly DescribedTool[];
  readonly refused: readonly string[];
  /** The file that took too long; those behind it were not loaded. */
  readonly late: readonly string[];
}

const NO_FILES: Described = { described: [], refused: [], late: [] };

function inThread(files: readonly ToolFile[], env: Readonly<Record<string, string>>): Promise<Described> {
  const { promise, resolve } = Promise.withResolvers<Described>();
  const marker = newMarker();
  const token = randomUUID();
  const described: DescribedTool[] = [];
  const refused: string[] = [];
  const late: string[] = [];
  let loading = files[0]?.path ?? "";
  const thread = new Worker(entryUrl("agent/tools/describe-thread"), {
    name: "describe tools",
    workerData: { files, token } satisfies DescribeTask,
    env: guestEnv(env, marker),
    stdout: true,
    stderr: true,
  });
  const end = (why?: string) => {
    clearTimeout(timer);
    if (why !== undefined) refused.push(`${loading}: ${why}`);
    void thread.terminate();
    void killLeftovers(marker);
    resolve({ described, refused, late });
  };
  const tooLong = () => {
    late.push(`${loading}: it did not load within ${LOAD_MS} ms.`);
    end();
  };
  let timer = setTimeout(tooLong, LOAD_MS);
  thread.on("message", (message: { readonly token?: string; readonly news: DescribeNews } | null) => {
    if (message?.token !== token) return;
    const { news } = message;
    if (news.type === "described") described.push(news.tool);
    if (news.type === "refused") refused.push(`${news.file.path}: ${news.reason}`);
    if (news.type === "done") return end();
    if (news.type !== "loading") return;
    loading = news.file.path;
    clearTimeout(timer);
    timer = setTimeout(tooLong, LOAD_MS);
  });
  // An error may be seen before the message that says which file is loaded. The exit, which follows it, is seen last.
  let problem = "it ended the thread that loaded it (process.exit?).";
  thread.on("error", (error) => (problem = error instanceof Error ? error.message : String(error)));
  thread.on("exit", () => end(problem));
  return promise;
}
