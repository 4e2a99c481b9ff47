/** Runs that stream in the background of a question, and how they are ended. */
import { postJson } from "./servers.ts";

/** @returns their ids */
export async function beginRuns(base: string, { runs, words }: { runs: number; words: string }): Promise<string[]> {
  const body = { agent_id: "bench", message: `/sim ${words}` };
  const begun = await Promise.all(Array.from({ length: runs }, () => postJson(`${base}/api/chat/async`, body)));
  return begun.map((answer) => (answer as { run_id: string }).run_id);
}

/** Each answers before its run has wound down. */
export async function cancelRuns(base: string, runIds: readonly string[]): Promise<void> {
  await Promise.all(runIds.map((runId) => postJson(`${base}/api/runs/${runId}/cancel`, {})));
}
