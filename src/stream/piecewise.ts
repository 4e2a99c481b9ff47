/**
 * An answer that is written in pieces, as fast as its client takes them: a page of history may be a megabyte, and a client
 * that reads slowly, or not at all, must not keep all of it in this process. Opened by `delivery.ts`.
 */
import type { ServerResponse } from "node:http";
import { Outflow, type OutflowLimits } from "./outflow.ts";

export class PiecewiseReply {
  readonly #response: ServerResponse;
  readonly #outflow: Outflow;
  #goOn: () => void = () => {};

  /** @param response not closed yet */
  constructor(response: ServerResponse, limits: OutflowLimits) {
    this.#response = response;
    const onSlow = () => response.destroy();
    this.#outflow = new Outflow(response, { ...limits, tcp: () => response.socket, onSlow });
    response.on("close", () => this.#goOn());
  }

  /**
   * Headers that were set before are sent with the first piece. Resolves when there is room for more; false: the client has
   * left. Does not refer to `piece` meanwhile.
   */
  write(piece: string | Buffer): Promise<boolean> {
    if (this.#response.destroyed) return Promise.resolve(false);
    this.#response.write(piece);
    this.#outflow.wrote();
    return this.#hasRoom();
  }

  /** A client that does not take the rest in time is cut off. */
  end(text = ""): void {
    if (this.#response.destroyed) return;
    this.#response.end(text);
    this.#outflow.watch();
  }

  async #hasRoom(): Promise<boolean> {
    if (this.#outflow.full) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#goOn = resolve;
      this.#outflow.onDrain(resolve);
      await promise;
    }
    return !this.#response.destroyed;
  }
}
