/** Structured logs: JSON lines in production, readable ones in development. One logger per process. */
import { pino, type Logger, type LoggerOptions } from "pino";
import { ConfigError } from "../config.ts";
import type { Settings } from "../settings.ts";
import { awaitedBy } from "./awaited.ts";
import { OncePerMinute } from "./once-per-minute.ts";
import { lossyStdout } from "./stdout.ts";

export type Log = Logger;

/** pino's number for the level of lines that say why a process ends. */
const FATAL = 60;

export async function createLog({ environment, logLevel }: Settings, process: string): Promise<Log> {
  const storage = new OncePerMinute();
  const options: LoggerOptions = {
    level: logLevel,
    base: { process },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    hooks: {
      logMethod(args, method, level) {
        if (level >= FATAL || storage.lets(repeated(args))) method.apply(this, args);
      },
    },
  };
  const destination = lossyStdout();
  if (environment === "production") return pino(options, destination);
  const { default: pretty } = await import("pino-pretty");
  const shape = { translateTime: "SYS:HH:MM:ss.l", ignore: "process", messageFormat: "[{process}] {msg}" };
  return pino(options, pretty({ sync: true, destination, ...shape }));
}

/**
 * Logs why a process ends. A mistake in `config/` is logged without our stack, which would only hide the
 * message from the operator.
 */
export function logFatal(log: Log, error: unknown): void {
  if (error instanceof ConfigError) log.error(error.message);
  else log.fatal({ err: error }, "this process ends");
}

/** Logs why a process did not start. */
export function logFailedStart(log: Log, error: unknown, { database }: Pick<Settings, "database">): void {
  const awaited = awaitedBy(error, database);
  if (awaited === undefined) logFatal(log, error);
  else log.error(awaited);
}

/** A name for the lines that each failing write would log: code and message. Undefined for all others. */
function repeated([fields, message]: readonly unknown[]): string | undefined {
  const { code, err } = (fields ?? {}) as { readonly code?: unknown; readonly err?: { readonly code?: unknown } };
  const found = String(code ?? err?.code);
  return found.startsWith("STORAGE_") ? `${found} ${String(message)}` : undefined;
}
