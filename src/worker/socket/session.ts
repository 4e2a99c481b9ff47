/**
 * One client on `/ws`: handles its requests one after the other, and answers each under the request's own id. A wrong
 * request does not affect the others. Made by `upgrade.ts`.
 */
import { BEGIN_CHAT } from "../../api/chat.ts";
import { CANCEL_RUN } from "../../api/runs.ts";
import type { ClientFrame, ServerFrame } from "../../api/socket.ts";
import { AppError } from "../../core/errors.ts";
import type { Principal } from "../../core/principal.ts";
import type { SocketStream } from "../../stream/socket.ts";
import { pathsUnder } from "../base-path.ts";
import { newRunOf } from "../chat-request.ts";
import type { OwnDeps } from "../context.ts";
import { reportFailure } from "../report-failure.ts";
import { assertMay } from "../serve.ts";
import { findRun } from "../show-run.ts";
import { idOf, parseFrame, readRequest } from "./request.ts";
import { Subscriptions } from "./subscriptions.ts";

/** Requests that wait; a client that sends more, or sends faster, is not read meanwhile. */
const MAX_WAITING = 64;
const MAX_WAITING_CHARACTERS = 1024 * 1024;

export interface SessionOptions {
  readonly deps: OwnDeps;
  readonly stream: SocketStream;
  readonly principal: Principal;
  /** True: reads nothing more from the client. False: reads on. */
  readonly hold: (held: boolean) => void;
}

export class SocketSession {
  readonly #options: SessionOptions;
  readonly #subscriptions: Subscriptions;
  #handling: Promise<void> = Promise.resolve();
  #waiting = 0;
  #waitingCharacters = 0;
  // True while waiting for the socket to drain.
  #paused = false;
  #closed = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { deps, stream, principal } = options;
    this.#subscriptions = new Subscriptions({ deps, stream, principal, onError: (id, error) => this.#fail(id, error) });
  }

  /** One text frame of the client. */
  receive(text: string): void {
    this.#waiting += 1;
    this.#waitingCharacters += text.length;
    this.#pace();
    this.#handling = this.#handling.then(async () => {
      if (!this.#closed) await this.#handle(text);
      this.#waiting -= 1;
      this.#waitingCharacters -= text.length;
      this.#pace();
    });
  }

  /** Sends nothing from now on. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#subscriptions.close();
    this.#pace();
  }

  /**
   * A client that reads no answers, or asks faster than we answer, is not read: otherwise its requests would pile up.
   */
  #pace(): void {
    const { stream, hold } = this.#options;
    // The client's close frame has to be read.
    if (this.#closed) return hold(false);
    hold(stream.full || this.#waiting >= MAX_WAITING || this.#waitingCharacters >= MAX_WAITING_CHARACTERS);
    if (!stream.full || this.#paused) return;
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
      await this.#serve(readRequest(frame, text), frame);
    } catch (error) {
      this.#fail(id, error);
    }
  }

  async #serve(frame: ClientFrame, given: object): Promise<void> {
    switch (frame.op) {
      case "subscribe":
        return this.#subscriptions.add(frame);
      case "unsubscribe":
        return this.#subscriptions.remove(frame.id);
      case "chat":
        return this.#chat(frame, given);
      case "cancel":
        return this.#cancel(frame.id, frame.run_id);
    }
  }

  async #chat({ op: _op, id, ...chat }: Extract<ClientFrame, { op: "chat" }>, given: object): Promise<void> {
    const { deps, principal } = this.#options;
    assertMay(principal, BEGIN_CHAT);
    // Without `op` and `id`, as over HTTP: so the same chat counts as a repeat, whichever way it comes.
    const { op: _, id: __, ...body } = given as Record<string, unknown>;
    const { agents, engine } = deps;
    const options = { agents, principal: principal.id, idempotencyKey: null, given: body, files: engine.files };
    const newRun = await newRunOf(chat, options);
    const { run, created } = await engine.enqueue(newRun);
    const { run_id, thread_id, agent_id, status } = run;
    this.#send({ id, ok: true, run_id, thread_id, agent_id, status, created });
  }

  async #cancel(id: string, runId: string): Promise<void> {
    const { deps, principal } = this.#options;
    assertMay(principal, CANCEL_RUN);
    const { engine } = deps;
    await findRun(engine, runId);
    const run = await engine.cancel(runId);
    if (!run) throw new AppError("RUN_NOT_FOUND", `Run ${runId} was deleted.`);
    this.#send({ id, ok: true, run_id: run.run_id, status: run.status });
  }

  #send(frame: ServerFrame): void {
    this.#options.stream.send(frame);
  }

  #fail(id: string | null, error: unknown): void {
    const { log, settings } = this.#options.deps;
    const { code, message, runId } = reportFailure(log, error, { url: "/ws", id });
    const detail = pathsUnder(settings.basePath, message);
    this.#send({ id, error: { code, detail, ...(runId !== undefined && { run_id: runId }) } });
  }
}
