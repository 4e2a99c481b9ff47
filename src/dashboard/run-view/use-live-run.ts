/** A live run that is followed while a component is shown and wants it. */
import { useEffect, useMemo } from "preact/hooks";
import { services } from "../live/services.ts";
import { LiveRun } from "./live-run.ts";

/** @param isWanted false: the run is not followed now; its events are kept, and following continues after them later */
export function useLiveRun(runId: string, isWanted = true): LiveRun {
  const live = useMemo(() => new LiveRun(services.live, runId), [runId]);
  useEffect(() => {
    if (!isWanted) return undefined;
    live.start();
    return () => live.stop();
  }, [live, isWanted]);
  return live;
}
