/**
 * The lines of a stream whose writer is not trusted: a line that is too long is cut and never held whole, and a writer
 * that floods is slowed down to what this process can handle. Used for the stdout of an MCP server.
 */
import type { Readable } from "node:stream";
import { setImmediate as nextTick, setTimeout as delay } from "node:timers/promises";

export interface Line {
  /** The whole line, or the beginning of one that is too long. */
  readonly text: string;
  /** The end of a line that is too long. */
  readonly cutTail?: string;
  readonly bytes: number;
}

export interface LineLimits {
  readonly maxLineBytes: number;
  /** Beyond this many bytes, the stream is not read for the rest of the second, so that its writer waits. */
  readonly bytesASecond: number;
  readonly linesASecond: number;
}

/** How much is kept from the beginning and from the end of a line that is too long. */
const KEPT_BYTES = 4_096;
/** Lines that are handed on in one tick of the event loop. */
const LINES_A_TICK = 100;

/** Ends when the stream ends or is destroyed. Text after the last newline is not a line. */
export async function* readLines(stream: Readable, limits: LineLimits): AsyncGenerator<Line> {
  const cutter = new LineCutter(limits.maxLineBytes);
  const budget = new Budget(limits);
  let inTick = 0;
  for await (const chunk of stream) {
    for (const line of cutter.take(chunk as Buffer)) {
      yield line;
      await budget.spend({ bytes: 0, lines: 1 });
      inTick += 1;
      if (inTick % LINES_A_TICK === 0) await nextTick();
    }
    await budget.spend({ bytes: (chunk as Buffer).length, lines: 0 });
    // Read one chunk per tick of the event loop: a stream that always has more must not keep this process from its
    // other work.
    await nextTick();
  }
}

const NEWLINE = 0x0a;

class LineCutter {
  readonly #maxBytes: number;
  // Bounded by `maxBytes`; a longer line is bounded by twice KEPT_BYTES.
  #parts: Buffer[] = [];
  #tail: Buffer = Buffer.alloc(0);
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  *take(chunk: Buffer): Generator<Line> {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#add(chunk.subarray(start, end));
      yield this.#finish();
      start = end + 1;
    }
    if (start < chunk.length) this.#add(chunk.subarray(start));
  }

  #add(part: Buffer): void {
    const fitted = this.#bytes <= this.#maxBytes;
    this.#bytes += part.length;
    if (this.#bytes <= this.#maxBytes) {
      this.#parts.push(part);
      return;
    }
    if (fitted) {
      const whole = Buffer.concat([...this.#parts, part]);
      // Copy: a view would keep the whole chunk in memory.
      this.#parts = [Buffer.from(whole.subarray(0, KEPT_BYTES))];
      this.#tail = Buffer.from(whole.subarray(-KEPT_BYTES));
      return;
    }
    // Copy only the end of each further chunk: joining them whole would cost the line's length again in garbage.
    const tail = Buffer.concat([this.#tail, part.subarray(-KEPT_BYTES)]);
    this.#tail = Buffer.from(tail.subarray(-KEPT_BYTES));
  }

  #finish(): Line {
    const bytes = this.#bytes;
    const text = Buffer.concat(this.#parts).toString("utf8");
    const line = bytes <= this.#maxBytes ? { text, bytes } : { text, bytes, cutTail: this.#tail.toString("utf8") };
    this.#parts = [];
    this.#tail = Buffer.alloc(0);
    this.#bytes = 0;
    return line;
  }
}

class Budget {
  readonly #limits: LineLimits;
  #since = performance.now();
  #bytes = 0;
  #lines = 0;

  constructor(limits: LineLimits) {
    this.#limits = limits;
  }

  async spend({ bytes, lines }: { readonly bytes: number; readonly lines: number }): Promise<void> {
    const leftMs = this.#since + 1000 - performance.now();
    if (leftMs <= 0) this.#begin();
    this.#bytes += bytes;
    this.#lines += lines;
    if (this.#bytes <= this.#limits.bytesASecond && this.#lines <= this.#limits.linesASecond) return;
    await delay(Math.max(0, leftMs));
    this.#begin();
  }

  #begin(): void {
    this.#since = performance.now();
    this.#bytes = 0;
    this.#lines = 0;
  }
}
