/** What lives as long as a component: made at its first drawing, started when it is mounted, stopped when it leaves. */
import { useEffect, useMemo } from "preact/hooks";

interface Startable {
  start(): void;
  stop(): void;
}

/** @param keys made anew when one of them changes; the one before is stopped */
export function useStarted<T extends Startable>(make: () => T, keys: readonly unknown[]): T {
  const made = useMemo(make, keys);
  useEffect(() => {
    made.start();
    return () => made.stop();
  }, [made]);
  return made;
}
