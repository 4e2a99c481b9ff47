/**
 * Reads the snapshots that the primary sends. Its version may be older than ours: after an upgrade of the files in
 * place, SIGHUP starts workers of the new version under the old primary. So what a snapshot lacks is filled in here, and
 * no reader behind this has to ask. A field that is added to `Snapshot` gets its value for older senders below.
 */
import { NO_PROCESS } from "./no-vitals.ts";
import type { Snapshot } from "./protocol.ts";

/** The name of the one machine, before machines had names in snapshots. */
const ONLY_MACHINE = "local";

/** @param sent a snapshot of our version, or of an older one */
export function readSnapshot(sent: Partial<Snapshot> & Pick<Snapshot, "seq" | "at">): Snapshot {
  const { machine = ONLY_MACHINE, machines, processes = [], marks = [], advice = [] } = sent;
  const onMachine = <T>(one: T) => ({ machine, ...one });
  return {
    ...sent,
    machine,
    machines: machines ?? [{ machine, version: "unknown", state: "live", age_ms: 0 }],
    processes: processes.map((process) => ({ ...NO_PROCESS, ...onMachine(process) })),
    marks: marks.map(onMachine),
    advice: advice.map(onMachine),
  };
}
