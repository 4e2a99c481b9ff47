/**
 * Reads the body of a request into one buffer. A client chooses how its body is cut into chunks, and keeping a chunk
 * costs far more than its bytes. So chunks are copied and not kept, and the memory of all bodies in a worker is
 * bounded (`body-memory.ts`). A body that is too large is not read to its end; `problem.ts` answers, and `refused-body.ts` ends the
 * connection.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { AppError } from "../core/errors.ts";
import { MAX_BODY_BYTES } from "../core/limits.ts";
import type { Principal } from "../core/principal.ts";
import { SMALL_BYTES, type BodyMemory, type BodyShare } from "./body-memory.ts";

/** Size of the first buffer. A declared length may be false, so memory is taken only as bytes come. */
const FIRST_BYTES = SMALL_BYTES;
/** Each chunk costs some microseconds, however small it is. [A MiB in chunks of one byte: 3 s of CPU.] */
const MAX_CHUNKS = 8_192;

export class Bodies {
  readonly #memory: BodyMemory;
  readonly #principal: Principal;

  constructor(memory: BodyMemory, principal: Principal) {
    this.#memory = memory;
    this.#principal = principal;
  }

  /** @throws AppError BODY_TOO_LARGE, OVERLOADED, TOO_MANY_REQUESTS, or INVALID_REQUEST when the client stops in the middle */
  async read(request: IncomingMessage, response: ServerResponse): Promise<Buffer> {
    if (Number(request.headers["content-length"] ?? 0) > MAX_BODY_BYTES) throw tooLarge();
    // The client waits for `100 Continue` before it sends the body: by now we know that the request is welcome.
    if (request.headers.expect !== undefined && !response.headersSent) response.writeContinue();
    const share = this.#memory.share(this.#principal);
    const body = new GrowingBuffer(share);
    try {
      await gather(request, body);
      return body.bytes;
    } finally {
      share.release();
    }
  }
}

/** The bytes that came so far, in one buffer of at most MAX_BODY_BYTES. */
class GrowingBuffer {
  readonly #share: BodyShare;
  #buffer = Buffer.alloc(0);
  #length = 0;
  #chunks = 0;

  constructor(share: BodyShare) {
    this.#share = share;
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  add(chunk: Buffer): void {
    const length = this.#length + chunk.length;
    this.#chunks += 1;
    if (length > MAX_BODY_BYTES) throw tooLarge();
    if (this.#chunks > MAX_CHUNKS)
      throw new AppError("BODY_TOO_LARGE", `Expected a body of at most ${MAX_CHUNKS} chunks; send larger chunks.`);
    if (length > this.#buffer.length) this.#grow(length);
    chunk.copy(this.#buffer, this.#length);
    this.#length = length;
  }

  #grow(length: number): void {
    const capacity = Math.min(MAX_BODY_BYTES, Math.max(FIRST_BYTES, 2 * this.#buffer.length, length));
    this.#share.resize(capacity);
    // Not from the pool of small buffers: a body under way would keep the whole pool from being freed.
    const buffer = Buffer.allocUnsafeSlow(capacity);
    this.bytes.copy(buffer);
    this.#buffer = buffer;
  }
}

function gather(request: IncomingMessage, body: GrowingBuffer): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onData = (chunk: Buffer) => {
    try {
      body.add(chunk);
    } catch (error) {
      request.pause();
      reject(error);
    }
  };
  const onBroken = (cause?: unknown) =>
    reject(new AppError("INVALID_REQUEST", "The body ended before all of it came.", { cause }));
  request.on("data", onData).on("end", resolve).on("error", onBroken).on("close", onBroken);
  return promise.finally(() => {
    request.off("data", onData).off("end", resolve).off("error", onBroken).off("close", onBroken);
    // An error after the end has no other listener, and would end the process.
    request.on("error", ignore);
  });
}

/** Outside of `gather`, because a function made there would hold the buffer for as long as the request is open. */
function ignore(): void {}

function tooLarge(): AppError {
  return new AppError("BODY_TOO_LARGE", `Expected a body of at most ${MAX_BODY_BYTES} bytes.`);
}
