/** Structured logs: JSON lines in production, readable ones in development. One logger per process. */
import { pino, type Logger } from "pino";
import type { Settings } from "../settings.ts";

export type Log = Logger;

export async function createLog({ environment, logLevel }: Settings, process: string): Promise<Log> {
  const options = { level: logLevel, base: { process }, timestamp: () => `,"time":"${new Date().toISOString()}"` };
  if (environment === "production") return pino(options);
  const { default: pretty } = await import("pino-pretty");
  return pino(
    options,
    pretty({ sync: true, translateTime: "SYS:HH:MM:ss.l", ignore: "process", messageFormat: "[{process}] {msg}" }),
  );
}
