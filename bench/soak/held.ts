/** What a process holds once its garbage is collected, and where `collect.ts` leaves it for `samples.ts`. */
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Held {
  /** Epoch ms. */
  readonly at: number;
  /** All memory of the process, also what no collector knows. */
  readonly rssBytes: number;
  /** Objects of JavaScript, and the buffers that they own. */
  readonly jsBytes: number;
}

export const HELD_FOLDER = join(tmpdir(), "evenkeel-soak");

export function heldFile(pid: number): string {
  return join(HELD_FOLDER, `${pid}.json`);
}
