/** The way to a server, and how failures are told in a terminal. Called by the commands. */
import { InvalidArgumentError } from "commander";
import { AppError, withCause } from "../core/errors.ts";
import { ConnectionError, Evenkeel, EvenkeelError } from "../client/client.ts";
import { SettingsError } from "../settings.ts";

export interface ServerOptions {
  readonly server: string;
  readonly key?: string;
}

/** A person waits in front of the terminal, so a server that does not answer is reported soon. */
const GIVE_UP_MS = 5_000;
/** A stream begins at once, and no command waits for a reply that comes in one piece. */
const ANSWER_MS = 5_000;

export function connect({ server, key }: ServerOptions): Evenkeel {
  const options = { baseUrl: server, giveUpAfterMs: GIVE_UP_MS, fetch: impatientFetch };
  return new Evenkeel({ ...options, ...(key !== undefined && { apiKey: key }) });
}

/** Gives up when no answer begins. An answer that has begun may take any time: it may be a stream. */
export async function impatientFetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new Error(`no answer within ${ANSWER_MS} ms`)), ANSWER_MS);
  const signal = init?.signal ? AbortSignal.any([init.signal, late.signal]) : late.signal;
  try {
    return await fetch(input, { ...init, signal });
  } finally {
    clearTimeout(timer);
  }
}

function withoutSlashes(text: string): string {
  let end = text.length;
  while (text[end - 1] === "/") end -= 1;
  return text.slice(0, end);
}

/** The address of a server, as an argument of the command line. */
export function serverUrl(text: string): string {
  const url = URL.parse(text);
  if (url && ["http:", "https:"].includes(url.protocol)) return withoutSlashes(text);
  throw new InvalidArgumentError("Expected an address such as http://localhost:8000.");
}

/** Prints one line and sets an exit code. Only an unexpected error is printed with its stack. */
export function report(error: unknown): void {
  const text = isExpected(error) ? whole(error) : String(error instanceof Error ? error.stack : error);
  process.stderr.write(`evenkeel: ${text}\n`);
  process.exitCode = 1;
}

/** A server or a storage that cannot be used is told with the reason of the system. */
function whole(error: Error): string {
  if (error instanceof AppError) return withCause(error);
  const reason = error instanceof ConnectionError ? networkReason(error) : undefined;
  return reason === undefined ? error.message : `${error.message.replace(/\.$/, "")}: ${reason}.`;
}

/** What the innermost cause says, such as "connect ECONNREFUSED 127.0.0.1:8000". */
export function networkReason({ cause }: Error): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  const first: unknown = cause instanceof AggregateError ? cause.errors[0] : undefined;
  const reason = first instanceof Error ? first.message : cause.message;
  return networkReason(cause) ?? (reason || undefined);
}

/** Our own errors say what to do. A system error (ENOENT, EISDIR, ENOSPC) names the file. */
function isExpected(error: unknown): error is Error {
  const kinds = [EvenkeelError, ConnectionError, CliError, AppError, SettingsError];
  return kinds.some((kind) => error instanceof kind) || (error instanceof Error && "syscall" in error);
}

/** An error that the person in front of the terminal can fix. */
export class CliError extends Error {}
