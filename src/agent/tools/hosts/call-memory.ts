/**
 * Memory that a host and a thread share for one call. It records whether the thread has begun the call, so that the
 * host can withdraw a call that a blocked thread has not begun. It also holds the end of the call's output, which
 * survives when the thread is terminated in the middle of a loop. However much a call prints, the agent pays nothing
 * for it.
 */
export const OUTPUT_BYTES = 16 * 1024;

const STATE = 0;
const WRITTEN = 1;
const HEADER_BYTES = 8;

const OFFERED = 0;
const TAKEN = 1;
const WITHDRAWN = 2;

export class CallMemory {
  readonly shared: SharedArrayBuffer;
  readonly #header: Int32Array;
  readonly #ring: Uint8Array;

  constructor(shared = new SharedArrayBuffer(HEADER_BYTES + OUTPUT_BYTES)) {
    this.shared = shared;
    this.#header = new Int32Array(shared, 0, 2);
    this.#ring = new Uint8Array(shared, HEADER_BYTES);
  }

  /** Called by the thread. False: the host has taken the call back. */
  take(): boolean {
    return Atomics.compareExchange(this.#header, STATE, OFFERED, TAKEN) === OFFERED;
  }

  /** Called by the host. False: the thread has begun. */
  withdraw(): boolean {
    return Atomics.compareExchange(this.#header, STATE, OFFERED, WITHDRAWN) === OFFERED;
  }

  /** Called by the thread, with more output of the call. */
  print(bytes: Uint8Array): void {
    const tail = bytes.subarray(Math.max(0, bytes.length - OUTPUT_BYTES));
    const written = Atomics.load(this.#header, WRITTEN);
    const at = written % OUTPUT_BYTES;
    const first = tail.subarray(0, OUTPUT_BYTES - at);
    this.#ring.set(first, at);
    this.#ring.set(tail.subarray(first.length), 0);
    // Stays below 2 × OUTPUT_BYTES: the count only has to tell where the ring begins and whether it is full.
    const next = written + tail.length;
    Atomics.store(this.#header, WRITTEN, next < 2 * OUTPUT_BYTES ? next : OUTPUT_BYTES + (next % OUTPUT_BYTES));
  }

  /** Called by the host. Returns the last OUTPUT_BYTES of the output. */
  text(): string {
    const written = Atomics.load(this.#header, WRITTEN);
    // Copy: decoders do not accept shared memory.
    const ring = Buffer.from(this.#ring);
    if (written <= OUTPUT_BYTES) return textOfTail(ring.subarray(0, written), false);
    const at = written % OUTPUT_BYTES;
    return textOfTail(Buffer.concat([ring.subarray(at), ring.subarray(0, at)]), true);
  }
}

/** Decodes output whose beginning may be cut off, perhaps in the middle of a character. */
export function textOfTail(bytes: Buffer, isCut: boolean): string {
  if (!isCut) return bytes.toString("utf8");
  let start = 0;
  // The bytes of a UTF-8 character after its first one begin with the bits 10; there are at most three.
  while (start < 3 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1;
  return bytes.toString("utf8", start);
}
