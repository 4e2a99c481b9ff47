/** Waits for work, but not for ever: for the end of a process or of a connection. Leaves no timer behind. */

/** Resolves when the work has ended, in whatever way, or when the time is over. @returns whether it succeeded in time */
export async function atMost(ms: number, work: Promise<unknown> | undefined): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, ms, false);
  Promise.resolve(work).then(
    () => resolve(true),
    () => resolve(false),
  );
  return promise.finally(() => clearTimeout(timer));
}
