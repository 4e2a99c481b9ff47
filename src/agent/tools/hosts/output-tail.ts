/** The last 16 KiB of what a tool's process printed during one call. */
import { OUTPUT_BYTES, textOfTail } from "./call-memory.ts";

/** A reader that takes more than this between two pauses would have no time for other work. */
const BURST_BYTES = 1024 * 1024;

export class OutputTail {
  #bytes = Buffer.alloc(0);
  #isCut = false;
  #sincePause = 0;

  /** @returns whether the reader should pause now */
  take(chunk: Buffer): boolean {
    const all = Buffer.concat([this.#bytes, chunk.subarray(-OUTPUT_BYTES)]);
    this.#isCut ||= this.#bytes.length + chunk.length > OUTPUT_BYTES;
    this.#bytes = all.subarray(-OUTPUT_BYTES);
    this.#sincePause += chunk.length;
    if (this.#sincePause < BURST_BYTES) return false;
    this.#sincePause = 0;
    return true;
  }

  text(): string {
    return textOfTail(this.#bytes, this.#isCut);
  }
}
