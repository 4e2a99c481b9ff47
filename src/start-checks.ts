/**
 * Finds errors that would occur in every child, once and in one line, before anything is forked: port, data folder and
 * configuration. Called by `primary.ts`.
 */
import { setTimeout as delay } from "node:timers/promises";
import { loadConfig } from "./config.ts";
import type { Access } from "./core/access.ts";
import type { Lock } from "./engine/driver.ts";
import { hasCode, withCause, type AppError } from "./core/errors.ts";
import { lockStorage } from "./engine/open.ts";
import { assertPortFree } from "./process/port.ts";
import { EXIT } from "./process/protocol.ts";
import type { Settings } from "./settings.ts";

const LOOK_MS = 200;
const FIRST_PORT_FOR_ALL = 1_024;

/** The start may succeed a little later without any change, so a supervisor may try again. */
export class TakenError extends Error {
  override readonly name = "TakenError";
}

export interface Checked {
  readonly lock: Lock;
  readonly access: Access;
}

/** @throws TakenError when port or folder are taken for longer than `startWaitMs` */
export async function checkStart(settings: Settings): Promise<Checked> {
  const { host, port, dataDir, database, startWaitMs } = settings;
  const endsAt = performance.now() + startWaitMs;
  await untilFree(endsAt, async () => {
    await assertPortFree(host, port).catch((error: unknown) => {
      throw portProblem(error, { host, port });
    });
  });
  const lock = await untilFree(endsAt, async () => {
    const held = await lockStorage({ dataDir, database }).catch((error: unknown) => {
      throw isPassing(error) ? new TakenError(withCause(error)) : error;
    });
    if (!held) throw new TakenError(`Another evenkeel runs on ${dataDir}. Stop it, or set DATA_DIR to another folder.`);
    return held;
  });
  const { access } = await loadConfig(settings);
  return { lock, access };
}

/** What a start that failed exits with: whether a supervisor may try again. @param error of any part of the start */
export function exitCodeOf(error: unknown): number {
  return error instanceof TakenError || isPassing(error) ? EXIT.retry : EXIT.config;
}

/** A database that is not up yet, not reachable yet, or not any more. */
function isPassing(error: unknown): error is AppError {
  return hasCode(error, "STORAGE_UNAVAILABLE") && (error as AppError).retryAfterS !== undefined;
}

/** Right after a crash the last processes of the tree may still hold port and folder. */
async function untilFree<T>(endsAt: number, take: () => Promise<T>): Promise<T> {
  for (let isFirst = true; ; isFirst = false) {
    try {
      return await take();
    } catch (error) {
      const leftMs = Math.round(endsAt - performance.now());
      if (!(error instanceof TakenError) || leftMs <= 0) throw error;
      if (isFirst) process.stderr.write(`${error.message} Trying again for ${Math.ceil(leftMs / 1000)} s …\n`);
      await delay(Math.min(LOOK_MS, leftMs));
    }
  }
}

/** @param error of listening there */
export function portProblem(error: unknown, { host, port }: { host: string; port: number }): Error {
  const { code = "", message = String(error) } = error as Partial<NodeJS.ErrnoException>;
  if (code === "EADDRINUSE") {
    return new TakenError(
      `Port ${port} on ${host} cannot be used (${message}). Stop what uses it, or set PORT to another.`,
    );
  }
  if (code === "EACCES" && port < FIRST_PORT_FOR_ALL) {
    return new Error(
      `Port ${port} cannot be used (${message}): ports below ${FIRST_PORT_FOR_ALL} are for root. Set PORT to 8000 and put a ` +
        "proxy in front, give this Node the capability CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities), or lower the " +
        "sysctl net.ipv4.ip_unprivileged_port_start.",
    );
  }
  if (code === "EACCES") return new Error(`Port ${port} on ${host} cannot be used (${message}). Set PORT to another.`);
  return new Error(`HOST ${host} cannot be used (${message}). Name an address of this machine, or 0.0.0.0 for all.`);
}
