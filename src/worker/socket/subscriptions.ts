/** The subscriptions of one socket: the feeds that its client follows, each under an id of its own. */
import { LIST_PROCESSES } from "../../api/system.ts";
import type { Channel } from "../../api/socket.ts";
import { AppError, toAppError } from "../../core/errors.ts";
import { onlyOwner, type Principal } from "../../core/principal.ts";
import { MAX_SUBSCRIPTIONS } from "../../core/limits.ts";
import type { Run } from "../../core/run.ts";
import type { Feed } from "../../stream/feed.ts";
import type { SocketStream } from "../../stream/socket.ts";
import type { Viewer } from "../../stream/viewer.ts";
import type { OwnDeps } from "../context.ts";
import { assertResumable } from "../position.ts";
import { assertMay } from "../serve.ts";
import { findRun } from "../show-run.ts";
import { delegatedUpTo, watchWithSubagents } from "../with-subagents.ts";

/** Where a subscription begins. */
interface Start {
  /** Called last, in the same tick in which the viewer joins: a feed without viewers ends. */
  readonly feed: () => Feed;
  readonly after: number;
  readonly newest: number;
  /** Set when delegated runs are shown inside the stream of their run. */
  readonly family?: { readonly run: Run; readonly before: readonly string[] };
}

export interface SubscriptionsOptions {
  readonly deps: Pick<OwnDeps, "engine" | "delivery" | "log">;
  readonly principal: Principal;
  readonly stream: SocketStream;
  /** A subscription broke. */
  readonly onError: (id: string, error: unknown) => void;
}

export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  readonly #open = new Map<string, Pick<Viewer, "stop">>();
  #closed = false;

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
  }

  /** @throws AppError INVALID_REQUEST, RUN_NOT_FOUND, STORAGE_UNAVAILABLE */
  async add(channel: Channel): Promise<void> {
    const { id } = channel;
    if (this.#open.has(id))
      throw new AppError(
        "INVALID_REQUEST",
        `Subscription "${id}" is open; choose another id, or unsubscribe it first.`,
      );
    if (this.#open.size >= MAX_SUBSCRIPTIONS) {
      throw new AppError(
        "INVALID_REQUEST",
        `A socket has at most ${MAX_SUBSCRIPTIONS} subscriptions; end one, or open another socket.`,
      );
    }
    const start = await this.#startOf(channel);
    if (this.#closed) return;
    const { stream } = this.#options;
    this.#open.set(id, this.#watch(id, start));
    // The viewer writes later, so this frame is the first under the id.
    stream.send({ id, ok: true, channel: channel.channel, seq: start.newest });
  }

  /** A subscription whose `done` is being sent counts as unsubscribed. */
  remove(id: string): void {
    this.#open.get(id)?.stop();
    this.#open.delete(id);
    this.#options.stream.send({ id, ok: true });
  }

  close(): void {
    this.#closed = true;
    for (const viewer of this.#open.values()) viewer.stop();
    this.#open.clear();
  }

  #watch(id: string, { feed, after, family }: Start): Pick<Viewer, "stop"> {
    const { deps, stream } = this.#options;
    const sink = stream.sinkOf(id);
    const onEnd = (error?: unknown) => {
      this.#open.delete(id);
      if (error) this.#options.onError(id, toAppError(error));
      else stream.send({ id, done: true });
    };
    if (family) return watchWithSubagents(deps, family.run, { after, before: family.before, sink, onEnd });
    return deps.delivery.watch({ feed: feed(), after, sink, onEnd });
  }

  async #startOf(channel: Channel): Promise<Start> {
    const { deps, principal } = this.#options;
    const { engine, delivery } = deps;
    const { feeds } = delivery;
    if (channel.channel === "run") {
      const run = await findRun(engine, channel.run_id);
      const newest = await engine.lastEvent(run.run_id);
      const after = channel.after ?? 0;
      assertResumable({ name: "after", after, newest, of: `run ${run.run_id}` });
      const start = { feed: () => feeds.run(run), after, newest };
      if (!channel.subagents) return start;
      return { ...start, family: { run, before: await delegatedUpTo(deps, run.run_id, after) } };
    }
    if (channel.channel === "activities") {
      const newest = await engine.lastActivity();
      const after = channel.after ?? newest;
      assertResumable({ name: "after", after, newest, of: "the activities" });
      const owner = onlyOwner(principal);
      const feed = () => (owner === undefined ? feeds.activities() : feeds.activitiesOf(owner));
      return { feed, after, newest };
    }
    assertMay(principal, LIST_PROCESSES);
    const { newest } = feeds.processes;
    // Another worker may be one snapshot ahead of us, and a restarted server counts from 1 again.
    const after = Math.min(channel.after ?? newest - 1, newest);
    return { feed: () => feeds.processes, after: Math.max(0, after), newest };
  }
}
