/** A live run for as long as a component is shown, and wants it. */
import { useEffect, useMemo } from "preact/hooks";
import { services } from "../live/services.ts";
import { LiveRun } from "./live-run.ts";

/** @param isWanted false: not followed now; what was heard stays, and the run goes on from there when it is wanted */
export function useLiveRun(runId: string, isWanted = true): LiveRun {
  const live = useMemo(() => new LiveRun(services.live, runId), [runId]);
  useEffect(() => {
    if (!isWanted) return undefined;
    live.start();
    return () => live.stop();
  }, [live, isWanted]);
  return live;
}
