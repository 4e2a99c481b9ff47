/** A live run for as long as a component is shown. */
import { useEffect, useMemo } from "preact/hooks";
import { services } from "../live/services.ts";
import { LiveRun } from "./live-run.ts";

/** @param isWanted false: not followed yet; once it is, it stays so to its end */
export function useLiveRun(runId: string, isWanted = true): LiveRun {
  const live = useMemo(() => new LiveRun(services.live, runId), [runId]);
  useEffect(() => {
    if (isWanted) live.start();
  }, [live, isWanted]);
  useEffect(() => () => live.stop(), [live]);
  return live;
}
