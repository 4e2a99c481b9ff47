/** All feeds of one worker. A run's feed lives while it has viewers. Handed to routes and sockets. */
import { AppError } from "../core/errors.ts";
import { isOver, type Run } from "../core/run.ts";
import type { JournalEvent } from "../core/event.ts";
import type { Engine } from "../engine/engine.ts";
import { LiveFeed, type Feed, type Reading, type Source } from "./feed.ts";
import { activityFrame, runFrame } from "./frame.ts";
import { OwnFeed } from "./own-feed.ts";
import { Pages } from "./pages.ts";
import { SnapshotFeed } from "./snapshots.ts";

/** Size of one read: about as much as a socket takes before it is full, so that little is read twice. */
const PAGE = { limit: 128, characters: 64 * 1024 };
// Frames kept for each run that several viewers watch. The number is small, because a frame also keeps its
// bytes for each transport in use. [A thousand such runs with a few words 50 times a second: 20 MB with one
// transport, 30 MB with both.]
const RUN_FRAMES = 32;
const ACTIVITY_FRAMES = 500;

const ACTIVITIES = Symbol("activities");

/** A client may reuse the id of a deleted run, so only id and creation time together identify a run. */
export type RunKey = Pick<Run, "run_id" | "created_at">;

export class Feeds {
  readonly processes = new SnapshotFeed();
  readonly #engine: Engine;
  readonly #basePath: string;
  // Bounded by the worker's viewers.
  readonly #live = new Map<string | typeof ACTIVITIES, LiveFeed>();
  readonly #pages = new Pages();

  constructor(engine: Engine, basePath: string) {
    this.#engine = engine;
    this.#basePath = basePath;
  }

  /**
   * The feed of one run. Add a listener in the same tick of the event loop, because a feed without listeners
   * is forgotten.
   */
  run(run: RunKey): LiveFeed {
    return this.#get(nameOf(run), () => this.#runSource(run));
  }

  activities(): LiveFeed {
    return this.#get(ACTIVITIES, () => activitySource(this.#engine, this.#pages));
  }

  /** The activities of one principal, for one viewer. */
  activitiesOf(principal: string): Feed {
    const read = async (after: number): Promise<Reading> => {
      const own = await this.#engine.activitiesAfter(after, PAGE.limit, principal);
      return { frames: own.map(activityFrame), over: false };
    };
    return new OwnFeed(this.activities(), principal, read);
  }

  #runSource(run: RunKey): Source {
    const engine = this.#engine;
    const { run_id: runId } = run;
    const frame = (event: JournalEvent) => runFrame(event, this.#basePath);
    const page = async (after: number) => (await engine.events(runId, after, PAGE)).map(frame);
    const read = async (after: number): Promise<Reading> => {
      const frames = await page(after);
      // Check after the page was read: the page may belong to another run that has the id by now.
      const { status } = await runNow(engine, run);
      if (frames.length > 0 || !isOver(status)) return { frames, over: false };
      // The run may have ended between the two reads.
      const rest = await page(after);
      return { frames: rest, over: rest.length === 0 };
    };
    return {
      dense: true,
      keep: RUN_FRAMES,
      follow: (onFrames, onGone) =>
        engine.follow(runId, { onEvents: (events) => onFrames(events.map(frame)), onDeleted: onGone }),
      read: (after) => this.#pages.get(nameOf(run), after, read),
    };
  }

  #get(key: string | typeof ACTIVITIES, source: () => Source): LiveFeed {
    const known = this.#live.get(key);
    if (known) return known;
    const feed = new LiveFeed(source(), () => this.#live.delete(key));
    this.#live.set(key, feed);
    return feed;
  }
}

/**
 * The run as it is now.
 * @throws AppError RUN_NOT_FOUND when it was deleted, also when another one has its id by now
 */
export async function runNow(
  engine: Pick<Engine, "run">,
  { run_id: runId, created_at: createdAt }: RunKey,
): Promise<Run> {
  const run = await engine.run(runId);
  if (run?.created_at === createdAt) return run;
  throw new AppError("RUN_NOT_FOUND", `Run ${runId} was deleted.`, { runId });
}

function nameOf({ run_id: runId, created_at: createdAt }: RunKey): string {
  return `run ${runId} ${createdAt}`;
}

/** Not dense: a deleted thread takes its activities with it. */
function activitySource(engine: Engine, pages: Pages): Source {
  const read = async (after: number): Promise<Reading> => {
    const activities = await engine.activitiesAfter(after, PAGE.limit);
    return { frames: activities.map(activityFrame), over: false };
  };
  return {
    dense: false,
    keep: ACTIVITY_FRAMES,
    follow: (onFrames) => engine.followActivities((activities) => onFrames(activities.map(activityFrame))),
    read: (after) => pages.get("activities", after, read),
  };
}
