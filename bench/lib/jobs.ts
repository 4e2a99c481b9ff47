/**
 * Helpers are processes of their own (load clients, baselines), so that their event loops are not the
 * bench's. `Helper.ask` sends one a job and waits for its answer; `serveJobs` is the helper's side.
 */
import type { Processes, Started } from "./processes.ts";

interface Request {
  readonly id: number;
  readonly job: unknown;
}

type Reply = { readonly id: number; readonly result: unknown } | { readonly id: number; readonly error: string };

/** Time limit of a job, longer than any job of the bench takes. */
const JOB_TIMEOUT_MS = 120_000;

export class Helper implements AsyncDisposable {
  readonly #started: Started;
  #lastId = 0;

  constructor(processes: Processes, file: URL, nice = 0) {
    this.#started = processes.start({ args: [file.pathname], ipc: true, nice });
  }

  get pid(): number {
    return this.#started.pid;
  }

  /** @throws the helper's own error, or an Error if the helper ended or took too long */
  ask<T>(job: unknown): Promise<T> {
    const { child } = this.#started;
    const id = (this.#lastId += 1);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const onExit = () => reject(new Error("The helper process ended before it answered."));
    const onMessage = (reply: Reply) => {
      if (reply.id !== id) return;
      if ("error" in reply) reject(new Error(reply.error));
      else resolve(reply.result as T);
    };
    const timer = setTimeout(
      () => reject(new Error(`The helper did not answer within ${JOB_TIMEOUT_MS} ms.`)),
      JOB_TIMEOUT_MS,
    );
    child.on("message", onMessage).on("exit", onExit);
    child.send({ id, job } satisfies Request, (error) => {
      if (error) reject(error);
    });
    return promise.finally(() => {
      clearTimeout(timer);
      child.off("message", onMessage).off("exit", onExit);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#started.stop();
  }
}

/** The helper ends with its parent, however the parent ends. The job type of `ask` must be that of `handle`. */
export function serveJobs(handle: (job: never) => Promise<unknown>): void {
  process.on("message", ({ id, job }: Request) => {
    handle(job as never).then(
      (result) => process.send?.({ id, result } satisfies Reply),
      (error: unknown) =>
        process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
  process.on("disconnect", () => process.exit(0));
}
