/**
 * One call on its way through the hosts of its tool: its result, its time limit, and what the end of its run means for
 * it.
 */
import { failure, type CallContext, type CallData, type ToolResult } from "../invoke.ts";

/** Where a call's printed output is kept. */
export interface CallOutput {
  text(): string;
  /** Takes the call back from a thread. False: the thread has begun it. */
  withdraw?(): boolean;
}

export class HostedCall {
  readonly id: number;
  readonly input: unknown;
  readonly context: CallData;
  readonly report: CallContext["report"];
  /** Replaces the tool's own time limit. */
  readonly timeoutMs: number | undefined;
  readonly result: Promise<ToolResult>;
  readonly aborted: AbortSignal;
  /**
   * True when the call is repeated because its host ended under several calls: nobody knows which caused it, so it runs
   * alone.
   */
  isAlone = false;
  /** True when a host ended before it began the call. */
  wasMissed = false;
  /** True when that host had not served any call. */
  wasMissedAtStart = false;
  /** True when the process that has it said so. */
  hasBegun = false;
  output: CallOutput | undefined;
  readonly #resolve: (result: ToolResult) => void;
  readonly #onAbort: () => void;
  #clock: NodeJS.Timeout | undefined;
  #isSettled = false;

  /** @param onAbort called once when the run ends before the call, unless the call is settled by then */
  constructor(
    id: number,
    asked: { readonly input: unknown; readonly context: CallContext },
    onAbort: (call: HostedCall) => void,
  ) {
    const { signal, report, timeoutMs, ...context } = asked.context;
    this.id = id;
    this.input = asked.input;
    this.context = context;
    this.report = report;
    this.timeoutMs = timeoutMs;
    this.aborted = signal;
    const { promise, resolve } = Promise.withResolvers<ToolResult>();
    this.result = promise;
    this.#resolve = resolve;
    this.#onAbort = () => onAbort(this);
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Starts the call's time anew. */
  startClock(ms: number, onEnd: () => void): void {
    clearTimeout(this.#clock);
    this.#clock = setTimeout(onEnd, ms);
  }

  /** The call waits for a host again, and this wait does not count as its time. */
  stopClock(): void {
    clearTimeout(this.#clock);
  }

  settle(result: ToolResult): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    clearTimeout(this.#clock);
    this.aborted.removeEventListener("abort", this.#onAbort);
    const output = this.output?.text();
    this.#resolve(output ? { ...result, output } : result);
  }

  fail(reason: string): void {
    this.settle(failure(reason));
  }
}
