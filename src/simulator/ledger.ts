/**
 * What the simulator did: counters, and the last requests one by one, for GET /sim/stats and for tests. Owned by one
 * server; routes.ts reports every POST /v1/messages to it. It only counts and decides nothing.
 */
import type { Ending } from "./steps.ts";

/** Number of requests that are kept one by one. At the bound the oldest is dropped; the counters still count all. */
const MAX_RECENT = 1_000;

/** "refused" is an HTTP error; "aborted" means that the client closed before the end. */
export type Ended = Exclude<Ending, "stall"> | "refused" | "aborted";

/** Times are ms since the epoch; what is not known yet is null. */
export interface RequestRecord {
  readonly id: string;
  readonly at: number;
  model: string | null;
  status: number | null;
  ended: Ended | null;
  closed_at: number | null;
}

export interface SimulatorStats {
  readonly requests: number;
  readonly active: number;
  readonly max_concurrent: number;
  readonly aborted: number;
  /** SSE events and JSON bodies written. */
  readonly events: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** Oldest first. */
  readonly recent: readonly Readonly<RequestRecord>[];
}

export class Ledger {
  readonly #recent: RequestRecord[] = [];
  readonly #statuses = new Map<number, number>();
  #requests = 0;
  #active = 0;
  #maxConcurrent = 0;
  #aborted = 0;
  #events = 0;

  open(id: string): RequestRecord {
    const record: RequestRecord = { id, at: Date.now(), model: null, status: null, ended: null, closed_at: null };
    this.#requests++;
    this.#active++;
    this.#maxConcurrent = Math.max(this.#maxConcurrent, this.#active);
    this.#recent.push(record);
    if (this.#recent.length > MAX_RECENT) this.#recent.shift();
    return record;
  }

  answer(record: RequestRecord, status: number): void {
    record.status = status;
    this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1);
  }

  readonly countEvent = (): void => {
    this.#events++;
  };

  /** Once a record. */
  close(record: RequestRecord, ended: Ended): void {
    record.ended = ended;
    record.closed_at = Date.now();
    this.#active--;
    if (ended === "aborted") this.#aborted++;
  }

  stats(): SimulatorStats {
    return {
      requests: this.#requests,
      active: this.#active,
      max_concurrent: this.#maxConcurrent,
      aborted: this.#aborted,
      events: this.#events,
      statuses: Object.fromEntries(this.#statuses),
      recent: this.#recent.map((record) => ({ ...record })),
    };
  }
}
