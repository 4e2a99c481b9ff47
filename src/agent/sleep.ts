/** A wait that an AbortSignal ends. Called wherever the agent waits on purpose. */
import { setTimeout as delay } from "node:timers/promises";

/** Rejects with the signal's reason when it is aborted, before or meanwhile. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch {
    throw signal.reason;
  }
}
