/** Counts the calls of one MCP server and how long they took. Written by `server.ts`, read at every heartbeat. */

const KEPT = 100;

export class CallMeter {
  calls = 0;
  failed = 0;
  inFlight = 0;
  // A ring of the last KEPT durations.
  readonly #latencies: number[] = [];
  #next = 0;

  /** Counts `call` from now until it ends, whether it succeeds or fails. */
  async during<T>(call: () => Promise<T>): Promise<T> {
    const begunAt = performance.now();
    this.calls += 1;
    this.inFlight += 1;
    try {
      return await call();
    } catch (error) {
      this.failed += 1;
      throw error;
    } finally {
      this.inFlight -= 1;
      this.#latencies[this.#next] = performance.now() - begunAt;
      this.#next = (this.#next + 1) % KEPT;
    }
  }

  latency(): { readonly p50: number; readonly p99: number } | null {
    if (this.#latencies.length === 0) return null;
    const sorted = this.#latencies.toSorted((a, b) => a - b);
    const at = (share: number) => round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
    return { p50: at(0.5), p99: at(0.99) };
  }
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
