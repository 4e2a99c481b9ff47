/**
 * Bounds the memory of what clients have begun to send and not yet finished: bodies of requests and messages on sockets, all
 * together in one worker. Beyond a bound per body this is needed because a client may open any number of connections and send
 * slowly on each. Called by `body.ts` and `socket/incoming.ts`, and for what a stream keeps of its body by `routes/ag-ui.ts`.
 */
import type { ServerResponse } from "node:http";
import { AppError } from "../core/errors.ts";
import type { Principal } from "../core/principal.ts";

/** Enough for a burst, far below what would endanger the process. */
const LIMIT_BYTES = 64 * 1024 * 1024;
/** What streams keep of their bodies. A stream may take hours, so this has a memory of its own: bodies must go on coming. */
export const KEPT_LIMIT_BYTES = 256 * 1024 * 1024;
/**
 * Larger bodies get no more than this part of the memory. Nearly all chats are small, so they are served also while many
 * large bodies come slowly.
 */
const LARGE_PART = 0.75;
/** A principal with the role client gets no more than this part, so that none of them leaves others without room. */
const PART_OF_ONE = 0.25;
export const SMALL_BYTES = 16 * 1024;
const RETRY_AFTER_S = 1;

export class BodyMemory {
  readonly #limit: number;
  #bytes = 0;
  /** Of principals with the role client; an entry is removed with its last byte. */
  readonly #ofOne = new Map<string, number>();

  constructor(limitBytes = LIMIT_BYTES) {
    this.#limit = limitBytes;
  }

  /** The memory of one body, none at first. */
  share(principal: Principal): BodyShare {
    return new BodyShare((bytes, total) => this.#take(bytes, total, principal));
  }

  /** Counts what a stream keeps, until its response closes. @throws AppError OVERLOADED, TOO_MANY_REQUESTS */
  keep(bytes: number, principal: Principal, response: ServerResponse): void {
    const share = this.share(principal);
    // A response that has closed does not tell it again.
    if (response.closed) return;
    share.resize(bytes);
    response.on("close", () => share.release());
  }

  #take(bytes: number, total: number, { id, role }: Principal): void {
    const ofOne = (this.#ofOne.get(id) ?? 0) + bytes;
    if (bytes > 0 && role === "client" && ofOne > this.#limit * PART_OF_ONE) {
      const detail = "You are sending too much to this process at once; end some requests, or wait for them.";
      throw new AppError("TOO_MANY_REQUESTS", detail, { retryAfterS: RETRY_AFTER_S });
    }
    const limit = total > SMALL_BYTES ? this.#limit * LARGE_PART : this.#limit;
    if (bytes > 0 && this.#bytes + bytes > limit) {
      const detail = "Too much is being sent to this process at once; send the request again.";
      throw new AppError("OVERLOADED", detail, { retryAfterS: RETRY_AFTER_S });
    }
    this.#bytes += bytes;
    if (role !== "client") return;
    if (ofOne > 0) this.#ofOne.set(id, ofOne);
    else this.#ofOne.delete(id);
  }
}

export class BodyShare {
  readonly #take: (bytes: number, total: number) => void;
  #bytes = 0;

  /** @param take called with the change and the new size; throws when there is no room */
  constructor(take: (bytes: number, total: number) => void) {
    this.#take = take;
  }

  /** @throws AppError OVERLOADED, TOO_MANY_REQUESTS; then the size is as it was */
  resize(bytes: number): void {
    this.#take(bytes - this.#bytes, bytes);
    this.#bytes = bytes;
  }

  /** Idempotent. */
  release(): void {
    this.resize(0);
  }
}
