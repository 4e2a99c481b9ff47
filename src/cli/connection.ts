/** The way to a server, and how failures are told in a terminal. Called by the commands. */
import { AppError } from "../core/errors.ts";
import { ConnectionError, Evenkeel, EvenkeelError } from "../client/client.ts";

export interface ServerOptions {
  readonly server: string;
  readonly key?: string;
}

/** Somebody waits in front of the terminal: a server that does not answer is told soon. */
const GIVE_UP_MS = 5_000;

export function connect({ server, key }: ServerOptions): Evenkeel {
  return new Evenkeel({ baseUrl: server, giveUpAfterMs: GIVE_UP_MS, ...(key !== undefined && { apiKey: key }) });
}

/** One line and an exit code; a stack only for what nobody expected. */
export function report(error: unknown): void {
  const text = isExpected(error) ? error.message : String(error instanceof Error ? error.stack : error);
  process.stderr.write(`evenkeel: ${text}\n`);
  process.exitCode = 1;
}

/** Ours say what to do; one of the system (ENOENT, EISDIR, ENOSPC) names the file. */
function isExpected(error: unknown): error is Error {
  const kinds = [EvenkeelError, ConnectionError, CliError, AppError];
  return kinds.some((kind) => error instanceof kind) || (error instanceof Error && "syscall" in error);
}

/** What the person in front of the terminal can mend. */
export class CliError extends Error {}
