/** A live run for as long as a component is shown. */
import { useEffect, useMemo } from "preact/hooks";
import { LiveRun } from "./live-run.ts";

export function useLiveRun(runId: string): LiveRun {
  const live = useMemo(() => new LiveRun(runId), [runId]);
  useEffect(() => {
    live.start();
    return () => live.stop();
  }, [live]);
  return live;
}
