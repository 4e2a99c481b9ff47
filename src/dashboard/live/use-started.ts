/**
 * A model that lives as long as a component: created at the first rendering, started at the mount, stopped at the
 * unmount.
 */
import { useEffect, useMemo } from "preact/hooks";

interface Startable {
  start(): void;
  stop(): void;
}

/** @param keys when one of them changes, a new model is created and the previous one is stopped */
export function useStarted<T extends Startable>(make: () => T, keys: readonly unknown[]): T {
  const made = useMemo(make, keys);
  useEffect(() => {
    made.start();
    return () => made.stop();
  }, [made]);
  return made;
}
