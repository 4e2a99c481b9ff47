/**
 * How many requests one principal with the role client may have under way in this worker, so that no user crowds out
 * others.
 */
import { AppError } from "../core/errors.ts";
import type { Principal } from "../core/principal.ts";

const RETRY_AFTER_S = 1;

/** A response or a socket: anything that emits when it is closed. */
interface Closing {
  once(event: "close", listener: () => void): unknown;
}

export class Bounds {
  readonly #limit: number;
  readonly #what: string;
  /** Requests under way, by principal; an entry is removed with its last request. */
  readonly #underWay = new Map<string, number>();

  constructor(limit: number, what: string) {
    this.#limit = limit;
    this.#what = what;
  }

  /** Counts the request until it closes. @throws AppError TOO_MANY_REQUESTS */
  enter({ id, role }: Principal, closing: Closing): void {
    if (role !== "client") return;
    const count = this.#underWay.get(id) ?? 0;
    if (count >= this.#limit) {
      const detail = `You have ${count} ${this.#what} under way here; end some, or wait for them.`;
      throw new AppError("TOO_MANY_REQUESTS", detail, { retryAfterS: RETRY_AFTER_S });
    }
    this.#underWay.set(id, count + 1);
    closing.once("close", () => this.#leave(id));
  }

  #leave(id: string): void {
    const left = (this.#underWay.get(id) ?? 1) - 1;
    if (left > 0) this.#underWay.set(id, left);
    else this.#underWay.delete(id);
  }
}
