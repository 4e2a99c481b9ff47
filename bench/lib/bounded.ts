/**
 * Ends a question that does not end by itself, or that throws where nobody awaits it: kills all processes of the bench, so
 * that everything that the question waits for fails. Used by `run.ts`.
 */
import type { Processes } from "./processes.ts";
import { sleep } from "./wait.ts";

/** For the question to free what it holds, once its processes are dead. */
export const FREE_MS = 15_000;

export interface Bound {
  readonly processes: Processes;
  readonly limitMs: number;
}

/** @throws what `work` throws, what was thrown beside it, or an Error when the time is over */
export async function bounded<T>({ processes, limitMs }: Bound, work: () => Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const giveUp = (reason: unknown) => {
    // The first reason counts: the others follow from the kill.
    reject(reason);
    processes.killAll();
  };
  const tooLate = setTimeout(
    () => giveUp(new Error(`It did not end within ${limitMs / 1_000} s; its processes were killed.`)),
    limitMs,
  );
  // Promises that nobody awaits end here, too.
  process.on("uncaughtException", giveUp);
  const working = work();
  working.then(resolve, reject);
  try {
    return await promise;
  } finally {
    clearTimeout(tooLate);
    await freed(working);
    process.off("uncaughtException", giveUp);
  }
}

/** Resolves when the work has ended, in whatever way, or when it took too long. */
async function freed(work: Promise<unknown>): Promise<void> {
  const stop = new AbortController();
  const ended = work.then(
    () => stop.abort(),
    () => stop.abort(),
  );
  await Promise.race([ended, sleep(FREE_MS, undefined, { signal: stop.signal }).catch(() => {})]);
}

/** What failed, for a person: the message with its causes, and what failed while it was ended. */
export function reasonOf(error: unknown): string {
  if (error instanceof SuppressedError)
    return `${reasonOf(error.suppressed)}; and when it was ended: ${reasonOf(error.error)}`;
  if (!(error instanceof Error)) return String(error);
  const message = error.message || ("code" in error ? String(error.code) : error.name);
  return error.cause === undefined ? message : `${message} (${reasonOf(error.cause)})`;
}
