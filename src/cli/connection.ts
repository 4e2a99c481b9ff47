/** The way to a server, and how failures are told in a terminal. Called by the commands. */
import { AppError } from "../core/errors.ts";
import { ConnectionError, Evenkeel, EvenkeelError } from "../client/client.ts";

export interface ServerOptions {
  readonly server: string;
  readonly key?: string;
}

/** A person waits in front of the terminal, so a server that does not answer is reported soon. */
const GIVE_UP_MS = 5_000;

export function connect({ server, key }: ServerOptions): Evenkeel {
  return new Evenkeel({ baseUrl: server, giveUpAfterMs: GIVE_UP_MS, ...(key !== undefined && { apiKey: key }) });
}

/** Prints one line and sets an exit code. Only an unexpected error is printed with its stack. */
export function report(error: unknown): void {
  const text = isExpected(error) ? error.message : String(error instanceof Error ? error.stack : error);
  process.stderr.write(`evenkeel: ${text}\n`);
  process.exitCode = 1;
}

/** Our own errors say what to do. A system error (ENOENT, EISDIR, ENOSPC) names the file. */
function isExpected(error: unknown): error is Error {
  const kinds = [EvenkeelError, ConnectionError, CliError, AppError];
  return kinds.some((kind) => error instanceof kind) || (error instanceof Error && "syscall" in error);
}

/** An error that the person in front of the terminal can fix. */
export class CliError extends Error {}
