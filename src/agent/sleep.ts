/** A wait that an AbortSignal ends. Called wherever the agent waits on purpose. */

/** Rejects with the signal's reason when the signal is aborted, before or during the wait. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = () => reject(signal.reason);
  // Not the timer of `node:timers/promises`, because tests cannot move its clock.
  const timer = setTimeout(resolve, ms);
  signal.addEventListener("abort", onAbort);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}
