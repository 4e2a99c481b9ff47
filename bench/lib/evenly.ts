/** Calls at a fixed rate, evenly spaced, however long what each call begins may take. Used by the open-loop clients. */
import { sleep } from "./wait.ts";

export interface Evenly {
  readonly perSecond: number;
  readonly durationMs: number;
}

/** @returns how late each call was, in ms */
export async function evenly({ perSecond, durationMs }: Evenly, call: (index: number) => void): Promise<number[]> {
  const latenessMs: number[] = [];
  const startedAt = performance.now();
  const gapMs = 1_000 / perSecond;
  for (let index = 0; index * gapMs < durationMs; index += 1) {
    const dueAt = startedAt + index * gapMs;
    const leftMs = dueAt - performance.now();
    if (leftMs > 0) await sleep(leftMs);
    latenessMs.push(Math.max(0, performance.now() - dueAt));
    call(index);
  }
  return latenessMs;
}
