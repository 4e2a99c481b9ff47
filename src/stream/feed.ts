/**
 * One run's journal as this worker sees it: followed once, however many watch, each event turned into its
 * wire form once, the newest kept at hand. Viewers read from here; what is older they read from the engine.
 */
import { isTerminal, type JournalEvent, type RunEventType } from "../core/event.ts";
import type { Engine, Follower } from "../engine/engine.ts";

export interface Frame {
  readonly seq: number;
  readonly type: RunEventType;
  /** The event as an SSE message (WHATWG HTML § 9.2): its seq is the id that a client resumes from. */
  readonly sse: string;
}

/**
 * A viewer that is further behind than this many frames reads from the engine until it has caught up. Few,
 * because every run that is watched keeps them: 10,000 runs with 128 frames each would hold 300 MB.
 */
const RECENT_FRAMES = 8;
const PAGE_FRAMES = 128;

export class RunFeed {
  readonly #engine: Engine;
  readonly #runId: string;
  readonly #follower: Follower;
  // Bounded by the viewers of this run on this worker.
  readonly #listeners = new Set<() => void>();
  #recent: Frame[] = [];
  #ended = false;

  constructor(engine: Engine, runId: string) {
    this.#engine = engine;
    this.#runId = runId;
    this.#follower = engine.follow(runId, (events) => this.#take(events));
  }

  /** True once the run's last event came by. */
  get ended(): boolean {
    return this.#ended;
  }

  get listeners(): ReadonlySet<() => void> {
    return this.#listeners;
  }

  /** Calls `onFrames` whenever there is more to read. */
  listen(onFrames: () => void): void {
    this.#listeners.add(onFrames);
  }

  unlisten(onFrames: () => void): void {
    this.#listeners.delete(onFrames);
  }

  /** The frames above `after` that are at hand; undefined when some of them are not, so read the journal. */
  recent(after: number): readonly Frame[] | undefined {
    const first = this.#recent[0];
    if (first === undefined || first.seq > after + 1) return undefined;
    return this.#recent.slice(after + 1 - first.seq);
  }

  async read(after: number): Promise<Frame[]> {
    const events = await this.#engine.events(this.#runId, after, PAGE_FRAMES);
    return events.map(toFrame);
  }

  stop(): void {
    this.#follower.stop();
    this.#listeners.clear();
  }

  #take(events: readonly JournalEvent[]): void {
    const frames = events.map(toFrame);
    const next = (this.#recent.at(-1)?.seq ?? 0) + 1;
    // A hole (rows from before we followed) would break the arithmetic of `recent`: start anew behind it.
    const known = frames[0]?.seq === next ? this.#recent : [];
    // A batch is kept whole until the next one, however large: nobody has had a chance to read it yet.
    this.#recent = [...known, ...frames].slice(-Math.max(RECENT_FRAMES, frames.length));
    this.#ended ||= frames.some(({ type }) => isTerminal(type));
    for (const listener of this.#listeners) listener();
  }
}

function toFrame({ seq, type, data }: JournalEvent): Frame {
  return { seq, type, sse: `id: ${seq}\ndata: ${data}\n\n` };
}

/** The feeds of one worker, each alive while somebody watches. Bounded by the worker's connections. */
export class RunFeeds {
  readonly #engine: Engine;
  readonly #feeds = new Map<string, RunFeed>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Joins the run's feed. `leave` (idempotent) frees it with its last listener. */
  join(runId: string, onFrames: () => void): { readonly feed: RunFeed; readonly leave: () => void } {
    const feed = this.#feeds.get(runId) ?? new RunFeed(this.#engine, runId);
    this.#feeds.set(runId, feed);
    feed.listen(onFrames);
    const leave = () => {
      feed.unlisten(onFrames);
      if (feed.listeners.size > 0 || this.#feeds.get(runId) !== feed) return;
      feed.stop();
      this.#feeds.delete(runId);
    };
    return { feed, leave };
  }

  stop(): void {
    for (const feed of this.#feeds.values()) feed.stop();
    this.#feeds.clear();
  }
}
