/** Runs the command line as a person types it, in a process of its own. */
import { execFile, type ExecFileOptions } from "node:child_process";
import { resolve } from "node:path";

export const BIN = resolve(import.meta.dirname, "../../bin/evenkeel.js");

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function evenkeel(...args: string[]): Promise<Ended> {
  return evenkeelIn({}, ...args);
}

export function evenkeelIn(env: Readonly<Record<string, string>>, ...args: string[]): Promise<Ended> {
  return run({ env: { ...process.env, ...env } }, args);
}

/** In another folder, with the `.env` and `config/` that it has. */
export function evenkeelAt(folder: string, ...args: string[]): Promise<Ended> {
  return run({ cwd: folder }, args);
}

function run(options: ExecFileOptions, args: readonly string[]): Promise<Ended> {
  return new Promise((done) => {
    execFile(process.execPath, [BIN, ...args], { ...options, encoding: "utf8" }, (error, stdout, stderr) =>
      done({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}
