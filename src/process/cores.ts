/** How many cores this server may use: those of the machine, or the share that a container's limit leaves. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";

const CGROUPS = "/sys/fs/cgroup";

/** A whole number from 1. Half a core counts as one. */
export function availableCores(): number {
  return Math.max(1, Math.min(availableParallelism(), ...quotas().map((cores) => Math.ceil(cores))));
}

/** @param text of a file `cpu.max` (cgroup v2): quota and period in microseconds @returns cores, undefined for no limit */
export function coresOf(text: string): number | undefined {
  const [quota = "", period = ""] = text.trim().split(/\s+/);
  const cores = Number(quota) / Number(period);
  return Number.isFinite(cores) && cores > 0 ? cores : undefined;
}

/** CPU quotas of this process's group and of all groups around it: the least counts. */
function quotas(): number[] {
  // In a container the file says "/": the container's own group is the root that it sees.
  const own = /^0::(.*)$/m.exec(read("/proc/self/cgroup") ?? "")?.[1];
  if (own === undefined) return [];
  const found: number[] = [];
  for (let folder = join(CGROUPS, own); folder.startsWith(CGROUPS); folder = dirname(folder)) {
    const cores = coresOf(read(join(folder, "cpu.max")) ?? "");
    if (cores !== undefined) found.push(cores);
  }
  return found;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
