/** Structured logs: JSON lines in production, readable ones in development. One logger per process. */
import { pino, type Logger } from "pino";
import { ConfigError } from "../config.ts";
import type { Settings } from "../settings.ts";
import { lossyStdout } from "./stdout.ts";

export type Log = Logger;

export async function createLog({ environment, logLevel }: Settings, process: string): Promise<Log> {
  const options = { level: logLevel, base: { process }, timestamp: () => `,"time":"${new Date().toISOString()}"` };
  const destination = lossyStdout();
  if (environment === "production") return pino(options, destination);
  const { default: pretty } = await import("pino-pretty");
  const shape = { translateTime: "SYS:HH:MM:ss.l", ignore: "process", messageFormat: "[{process}] {msg}" };
  return pino(options, pretty({ sync: true, destination, ...shape }));
}

/** Why a process ends. A mistake in `config/` is the operator's to mend: our stack would only hide it. */
export function logFatal(log: Log, error: unknown): void {
  if (error instanceof ConfigError) log.error(error.message);
  else log.fatal({ err: error }, "this process ends");
}
