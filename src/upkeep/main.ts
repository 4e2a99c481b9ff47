/**
 * Entry of the upkeep thread: once a second it does the storage's upkeep, deletes old data, and reads how the
 * runs stand.
 */
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { INCOMING } from "../engine/files.ts";
import { openEngine } from "../engine/open.ts";
import { lowerThreadPriority } from "../process/priority.ts";
import { AbandonedUploads } from "./abandoned-uploads.ts";
import type { UpkeepNews, UpkeepTask } from "./upkeep.ts";

const UPKEEP_MS = 1_000;

const { storage, retention, lastActivity } = workerData as UpkeepTask;
const stopped = new AbortController();
// Any message means stop.
parentPort?.once("message", () => stopped.abort());
lowerThreadPriority();
const uploads = new AbandonedUploads(join(storage.dataDir, INCOMING));
// Before the storage is opened: they may be what fills the disk.
await uploads.remove();
const engine = await openEngine(storage);
let position = lastActivity;
while (!stopped.signal.aborted) {
  // The empty list: see `Upkeep.stop`.
  parentPort?.postMessage(await upkeep(), []);
  await uploads.remove();
  // Each look begins a second after the last one has ended: on a slow disk they do not pile up.
  await setTimeout(UPKEEP_MS, undefined, { signal: stopped.signal }).catch(() => {});
}
await engine.close();

async function upkeep(): Promise<UpkeepNews> {
  try {
    // Old data is deleted even when the disk is full and the rest of the upkeep fails.
    const [maintained, retained] = [await settled(engine.maintain()), await settled(engine.retain(retention))];
    for (const result of [maintained, retained]) if (result.status === "rejected") throw result.reason;
    const runs = await engine.counts();
    const activities = await engine.countActivities(position);
    position = activities.last;
    return { runs, activities, warnings: maintained.status === "fulfilled" ? maintained.value : [] };
  } catch (error) {
    // A message to another thread keeps only the standard fields of an error; `code` would be lost.
    return { error, code: (error as { readonly code?: unknown }).code };
  }
}

async function settled<T>(work: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [result] = await Promise.allSettled([work]);
  return result;
}
