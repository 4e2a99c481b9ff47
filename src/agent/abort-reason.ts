/** Why the work on a run was ended from outside: the reason that its AbortSignal carries. */
export type Interruption = "canceled" | "lost" | "stopped";

export class Interrupted extends Error {
  readonly why: Interruption;

  constructor(why: Interruption) {
    super(`The run was ${why}.`);
    this.name = "Interrupted";
    this.why = why;
  }
}
