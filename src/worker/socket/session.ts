/**
 * One client on `/ws`: takes its requests one after the other, keeps its subscriptions, answers under the
 * request's own id. What is wrong with one request never touches the others. Made by `upgrade.ts`.
 */
import { AppError, toAppError } from "../../core/errors.ts";
import type { Feed } from "../../stream/feed.ts";
import type { SocketStream } from "../../stream/socket.ts";
import { Viewer } from "../../stream/viewer.ts";
import { readChat } from "../chat-request.ts";
import type { WorkerDeps } from "../context.ts";
import { assertResumable } from "../resume.ts";
import { findRun } from "../show-run.ts";
import { idOf, parseFrame, readRequest, type Channel, type SocketRequest } from "./request.ts";

const MAX_SUBSCRIPTIONS = 256;
/** Requests that wait for their turn; a client that sends faster is not read meanwhile. */
const MAX_WAITING = 64;

export interface SessionOptions {
  readonly deps: WorkerDeps;
  readonly stream: SocketStream;
  readonly principal: string;
  /** Reads nothing more from the client, or reads on. */
  readonly hold: (held: boolean) => void;
}

export class SocketSession {
  readonly #options: SessionOptions;
  readonly #subscriptions = new Map<string, Viewer>();
  #turn: Promise<void> = Promise.resolve();
  #waiting = 0;
  // Waits for the socket to drain.
  #paused = false;
  #closed = false;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** One text frame of the client. */
  receive(text: string): void {
    this.#waiting += 1;
    this.#pace();
    this.#turn = this.#turn.then(async () => {
      if (!this.#closed) await this.#handle(text);
      this.#waiting -= 1;
      this.#pace();
    });
  }

  /** Nothing is sent after this. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const viewer of this.#subscriptions.values()) viewer.stop();
    this.#subscriptions.clear();
  }

  /** A client that takes no answers, or asks faster than we can answer, is not read: its requests would pile up. */
  #pace(): void {
    const { stream, hold } = this.#options;
    hold(stream.full || this.#waiting >= MAX_WAITING);
    if (!stream.full || this.#paused || this.#closed) return;
    this.#paused = true;
    stream.onDrain(() => {
      this.#paused = false;
      this.#pace();
    });
  }

  async #handle(text: string): Promise<void> {
    let id: string | null = null;
    try {
      const frame = parseFrame(text);
      id = idOf(frame);
      await this.#serve(readRequest(frame));
    } catch (error) {
      this.#fail(id, error);
    }
  }

  async #serve(request: SocketRequest): Promise<void> {
    switch (request.op) {
      case "subscribe":
        return this.#subscribe(request.id, request.channel);
      case "unsubscribe":
        return this.#unsubscribe(request.id);
      case "chat":
        return this.#chat(request.id, request.body);
      case "cancel":
        return this.#cancel(request.id, request.runId);
    }
  }

  async #subscribe(id: string, channel: Channel): Promise<void> {
    if (this.#subscriptions.has(id)) {
      throw new AppError(
        "INVALID_REQUEST",
        `Subscription "${id}" is open; choose another id, or unsubscribe it first.`,
      );
    }
    if (this.#subscriptions.size >= MAX_SUBSCRIPTIONS) {
      throw new AppError(
        "INVALID_REQUEST",
        `A socket has at most ${MAX_SUBSCRIPTIONS} subscriptions; end one, or open another socket.`,
      );
    }
    const { feed, after, newest } = await this.#open(channel);
    if (this.#closed) return;
    const { deps, stream } = this.#options;
    stream.send({ id, ok: true, channel: channel.name, seq: newest });
    const viewer = new Viewer({
      delivery: deps.delivery,
      feed: feed(),
      after,
      sink: stream.sinkOf(id),
      onEnd: (error) => {
        this.#subscriptions.delete(id);
        if (error) this.#fail(id, error);
        else stream.send({ id, done: true });
      },
    });
    this.#subscriptions.set(id, viewer);
  }

  /** `feed` is asked for last, in the turn in which the viewer comes: a feed lives by its viewers. */
  async #open(channel: Channel): Promise<{ feed: () => Feed; after: number; newest: number }> {
    const { engine, delivery } = this.#options.deps;
    const { feeds } = delivery;
    if (channel.name === "run") {
      const run = await findRun(engine, channel.runId);
      const after = channel.after ?? 0;
      await assertResumable(engine, run, { name: "after", after });
      return { feed: () => feeds.run(run.run_id), after, newest: await engine.lastEvent(run.run_id) };
    }
    if (channel.name === "activities") {
      const newest = await engine.lastActivity();
      const after = channel.after ?? newest;
      if (after <= newest) return { feed: () => feeds.activities(), after, newest };
      throw new AppError(
        "INVALID_REQUEST",
        `Expected \`after\` to be at most ${newest}, the newest activity; got ${after}.`,
      );
    }
    const { newest } = feeds.processes;
    // One that is ahead of us has seen another primary: it gets what there is from now on.
    const after = Math.min(channel.after ?? newest - 1, newest);
    return { feed: () => feeds.processes, after: Math.max(0, after), newest };
  }

  #unsubscribe(id: string): void {
    const viewer = this.#subscriptions.get(id);
    if (!viewer) throw new AppError("INVALID_REQUEST", `There is no subscription "${id}".`);
    viewer.stop();
    this.#subscriptions.delete(id);
    this.#options.stream.send({ id, ok: true });
  }

  async #chat(id: string, body: Readonly<Record<string, unknown>>): Promise<void> {
    const { deps, principal, stream } = this.#options;
    const { run: newRun } = readChat(body, { agents: deps.agents, principal, idempotencyKey: null });
    const { run, created } = await deps.engine.enqueue(newRun);
    const { run_id, thread_id, agent_id, status } = run;
    stream.send({ id, ok: true, run_id, thread_id, agent_id, status, created });
  }

  async #cancel(id: string, runId: string): Promise<void> {
    const { engine } = this.#options.deps;
    await findRun(engine, runId);
    const run = await engine.cancel(runId);
    if (!run) throw new AppError("RUN_NOT_FOUND", `Run ${runId} was deleted.`);
    this.#options.stream.send({ id, ok: true, run_id: run.run_id, status: run.status });
  }

  #fail(id: string | null, error: unknown): void {
    const { deps, stream } = this.#options;
    const { code, status, message, runId } = toAppError(error);
    if (status >= 500) deps.log.error({ err: error, code }, "socket request failed");
    stream.send({ id, error: { code, detail: message, ...(runId !== undefined && { run_id: runId }) } });
  }
}
