/** Reads a whole thread, page by page, several times at once. Runs in a process of its own. */
import { serveJobs } from "../lib/jobs.ts";

export interface ReadsJob {
  readonly base: string;
  readonly threadId: string;
  /** How many read it at once. */
  readonly readers: number;
}

export interface ReadsResult {
  readonly bytes: number;
  readonly requests: number;
}

serveJobs(run);

async function run({ base, threadId, readers }: ReadsJob): Promise<ReadsResult> {
  const all = await Promise.all(Array.from({ length: readers }, () => readThread(`${base}/api/threads/${threadId}`)));
  return {
    bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
    requests: all.reduce((sum, { requests }) => sum + requests, 0),
  };
}

/** @throws Error when a page is refused */
async function readThread(url: string): Promise<ReadsResult> {
  let [bytes, requests] = [0, 0];
  for (let before: number | null | undefined; before !== null;) {
    const page = `${url}?limit=500${before === undefined ? "" : `&before=${before}`}`;
    const response = await fetch(page).catch((error: TypeError) => {
      // The reason is the cause's; the error itself says only that it failed.
      throw new Error(`${page}: ${String(error.cause)}`, { cause: error });
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`Expected a page of the thread, got ${response.status}: ${text.slice(0, 300)}`);
    bytes += text.length;
    requests += 1;
    ({ next: before } = JSON.parse(text) as { next: number | null });
  }
  return { bytes, requests };
}
