/**
 * Bounds the uploads under way in one worker: each may put 32 MiB into the folder for incoming files before its size is known
 * to be too much for its principal. Called by `routes/files.ts`.
 */
import type { ServerResponse } from "node:http";
import { AppError } from "../core/errors.ts";
import type { Principal } from "../core/principal.ts";
import { Bounds } from "./bounds.ts";

/** Together 1 GiB of disk at most. */
const AT_ONCE = 32;
/** For a principal with the role client, so that one of them leaves room for others. */
const AT_ONCE_OF_ONE = 8;
const RETRY_AFTER_S = 1;

export class Uploads {
  readonly #ofOne = new Bounds(AT_ONCE_OF_ONE, "uploads");
  #underWay = 0;

  /** Counts the upload until its response closes. @throws AppError OVERLOADED, TOO_MANY_REQUESTS */
  enter(principal: Principal, response: ServerResponse): void {
    if (this.#underWay >= AT_ONCE) {
      const detail = `${AT_ONCE} uploads are under way in this process; send the request again.`;
      throw new AppError("OVERLOADED", detail, { retryAfterS: RETRY_AFTER_S });
    }
    this.#ofOne.enter(principal, response);
    this.#underWay += 1;
    response.once("close", () => (this.#underWay -= 1));
  }
}
