/** A wait that an AbortSignal ends. Called wherever the agent waits on purpose. */

/** Rejects with the signal's reason when it is aborted, before or meanwhile. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = () => reject(signal.reason);
  // The timer of `node:timers/promises` would do, but tests cannot move its clock.
  const timer = setTimeout(resolve, ms);
  signal.addEventListener("abort", onAbort);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}
