/**
 * One MCP server of this agent process. It is started when it is first needed, and started again with backoff when it
 * ends. Calls are sent at once, without waiting for earlier calls to end. Owned by `servers.ts`.
 *
 * | state    | entered when                                    | a call then                         |
 * |----------|-------------------------------------------------|-------------------------------------|
 * | idle     | at first, and when its session is gone          | starts it                           |
 * | starting | it is needed, or restarted, or after a backoff  | waits for the start                 |
 * | ready    | it has told its tools                           | is sent                             |
 * | failed   | a start failed, or a connection ended           | fails at once, with the reason      |
 * | stopped  | the agent process drains                        | fails at once                       |
 */
import type { CallToolResult, Progress, Tool as McpTool } from "@modelcontextprotocol/client";
import { backoffMs } from "../../core/backoff.ts";
import type { McpReport } from "../../api/mcp.ts";
import type { McpServer } from "../../core/mcp-servers.ts";
import type { Log } from "../../observe/log.ts";
import { CallMeter } from "./call-meter.ts";
import { Connection, isMalformed, isServersAnswer, isTimeout } from "./connection.ts";
import { hiderOf } from "./tail.ts";
import { whyLeftOut } from "./tools.ts";

const BACKOFF = { firstMs: 200, maxMs: 30_000 };
/** A run waits for a server's start, but not if the start failed more than once in a row. */
const PATIENT_FAILURES = 1;
/** Tools that are left out, and named in one log line. */
const MAX_TOLD = 10;

type State =
  | { readonly is: "idle" }
  | { readonly is: "starting"; readonly done: Promise<void>; readonly abort: AbortController }
  | { readonly is: "ready"; readonly connection: Connection }
  | { readonly is: "failed"; readonly retryAt: number; readonly timer: NodeJS.Timeout }
  | { readonly is: "stopped" };

export interface ManagedServerOptions {
  readonly server: McpServer;
  readonly env: Readonly<Record<string, string>>;
  readonly log: Log;
}

export interface ServerCall {
  readonly tool: string;
  readonly input: Record<string, unknown>;
  readonly signal: AbortSignal;
  /** Replaces the server's own time limits. */
  readonly timeoutMs?: number | undefined;
  readonly onProgress: (progress: Progress) => void;
}

/** What a server offers now, or the reason why it offers nothing. */
export type Offer = { readonly tools: readonly McpTool[] } | { readonly missing: string };

export class ManagedServer {
  readonly name: string;
  readonly #options: ManagedServerOptions;
  readonly #hide: (text: string) => string;
  readonly #meter = new CallMeter();
  #state: State = { is: "idle" };
  /** Failures since the last call that was answered. */
  #failures = 0;
  #starts = 0;
  #reason: string | null = null;
  #lastStderr = "";
  // Connections that are being closed; some leave their calls a moment. Bounded by the restarts within one stop.
  readonly #closing = new Set<Promise<void>>();
  readonly #leaving = new Set<Connection>();

  constructor(options: ManagedServerOptions) {
    const { server } = options;
    this.#options = options;
    this.name = server.name;
    this.#hide = hiderOf(server.kind === "stdio" ? server.env : server.headers);
  }

  /** Starts the server if that was not done yet, and waits for its tools. Rejects only when `signal` is aborted. */
  async offer(signal: AbortSignal): Promise<Offer> {
    if (this.#state.is === "idle") void this.#start();
    if (this.#state.is === "starting" && this.#failures <= PATIENT_FAILURES) await until(this.#state.done, signal);
    const { connection } = this.#ready() ?? {};
    return connection ? { tools: this.#allowed(connection.tools) } : { missing: this.#whyNot() };
  }

  /** @throws Error whose text the model reads; the signal's reason when it is aborted */
  async call(call: ServerCall, isRepeat = false): Promise<CallToolResult> {
    const { tool, input, signal, timeoutMs, onProgress } = call;
    if (this.#state.is === "idle") void this.#start();
    if (this.#state.is === "starting") await until(this.#state.done, signal);
    const connection = this.#ready()?.connection;
    if (!connection) throw new Error(`MCP server ${this.name} does not run: ${this.#whyNot()}.`);
    try {
      const result = await this.#meter.during(() => connection.call(tool, input, { signal, timeoutMs, onProgress }));
      this.#failures = 0;
      return result;
    } catch (error) {
      signal.throwIfAborted();
      if (!isRepeat && connection.hasLostSession(error)) {
        this.#leaveSession(connection);
        return await this.call(call, true);
      }
      throw await this.#failureOf(error, connection, timeoutMs);
    }
  }

  /** Ends the server and starts it anew, whatever its state is. Resolves when the new start has succeeded or failed. */
  async restart(): Promise<void> {
    if (this.#state.is === "stopped") return;
    this.#leave();
    this.#failures = 0;
    await this.#start();
  }

  /** Resolves when nothing of the server runs any more. Idempotent. */
  async stop(): Promise<void> {
    this.#leave();
    this.#state = { is: "stopped" };
    await Promise.all(this.#closing);
  }

  report(): McpReport {
    const { server } = this.#options;
    const state = this.#state;
    const connection = state.is === "ready" ? state.connection : undefined;
    const tools = connection ? this.#allowed(connection.tools) : [];
    return {
      server: this.name,
      kind: server.kind,
      state: state.is,
      pid: connection?.pid ?? null,
      tools: tools.map(({ name }) => name),
      tool_count: tools.length,
      calls: this.#meter.calls,
      failed_calls: this.#meter.failed,
      in_flight: this.#meter.inFlight,
      latency_ms: this.#meter.latency(),
      starts: this.#starts,
      reason: this.#reason,
      next_try_ms: state.is === "failed" ? Math.max(0, Math.round(state.retryAt - performance.now())) : null,
      stderr: this.#hide(connection?.stderr || this.#lastStderr),
    };
  }

  /** Removes from a text the secrets that this server was given. */
  hide(text: string): string {
    return this.#hide(text);
  }

  #start(): Promise<void> {
    this.#starts += 1;
    const abort = new AbortController();
    // Two programs at a time could both need the same file or port. (A session over HTTP may end beside the next one.)
    const ended = this.#options.server.kind === "stdio" ? Promise.all(this.#closing) : undefined;
    const done = this.#open(abort.signal, ended);
    this.#state = { is: "starting", abort, done };
    return done;
  }

  /** @param ended the end of what ran before */
  async #open(signal: AbortSignal, ended: Promise<unknown> | undefined): Promise<void> {
    const { server, env } = this.#options;
    try {
      await ended;
      signal.throwIfAborted();
      const connection = await Connection.open({
        server,
        env,
        signal,
        // Use the older handshake at every other try, because some programs exit at the newer one.
        handshake: this.#failures % 2 === 0 ? "auto" : "legacy",
        onTools: (tools, total) => this.#tellTools({ tools, total }, "its list of tools has changed"),
        onLost: (reason) => this.#lost(connection, reason),
        onStderr: (text) => (this.#lastStderr = text),
      });
      if (signal.aborted) return await connection.close();
      this.#state = { is: "ready", connection };
      this.#tellTools(connection, "MCP server is ready");
    } catch (error) {
      if (!signal.aborted) this.#fail(error instanceof Error ? error.message : String(error));
    }
  }

  #tellTools(
    { tools, total, pid }: Pick<Connection, "tools" | "total"> & { pid?: number | undefined },
    said: string,
  ): void {
    const { log } = this.#options;
    log.info({ mcp: this.name, pid, tools: tools.length }, said);
    const leftOut = whyLeftOut(this.name, this.#allowed(tools));
    if (total > tools.length) leftOut.push(`Only the first ${tools.length} of its ${total} tools are taken.`);
    if (leftOut.length > 0)
      log.warn({ mcp: this.name, left_out: leftOut.slice(0, MAX_TOLD) }, "some of its tools are not offered to models");
  }

  #lost(connection: Connection, reason: string): void {
    if (this.#ready()?.connection !== connection) return;
    this.#leave();
    this.#fail(reason);
  }

  /** The next call starts the server anew, which opens another session. */
  #leaveSession(connection: Connection): void {
    // Another call of the same session may have done this already.
    if (this.#ready()?.connection !== connection) return;
    this.#leaving.add(connection);
    // Its other calls are about to be told the same.
    this.#track(connection.closeAfterCalls().finally(() => this.#leaving.delete(connection)));
    this.#state = { is: "idle" };
    this.#options.log.info({ mcp: this.name }, "the MCP server has ended its session; a new one is opened");
  }

  #fail(reason: string): void {
    this.#failures += 1;
    this.#reason = this.#hide(reason);
    const ms = backoffMs(this.#failures, BACKOFF);
    const timer = setTimeout(() => void this.#start(), ms);
    this.#state = { is: "failed", retryAt: performance.now() + ms, timer };
    this.#options.log.warn({ mcp: this.name, retry_ms: ms }, `MCP server does not run: ${this.#reason}`);
  }

  /** Frees what the present state owns, and connections that were left. The caller then sets the next state. */
  #leave(): void {
    const state = this.#state;
    if (state.is === "failed") clearTimeout(state.timer);
    if (state.is === "starting") {
      state.abort.abort(new Error("it is stopped"));
      this.#track(state.done);
    }
    if (state.is === "ready") {
      this.#lastStderr = state.connection.stderr;
      this.#track(state.connection.close());
    }
    for (const connection of this.#leaving) this.#track(connection.close());
  }

  #track(closing: Promise<void>): void {
    this.#closing.add(closing);
    void closing.then(() => this.#closing.delete(closing));
  }

  async #failureOf(error: unknown, connection: Connection, timeoutMs?: number): Promise<Error> {
    const { callTimeoutMs } = this.#options.server;
    const detail = error instanceof Error ? error.message : String(error);
    if (isServersAnswer(error)) return new Error(this.#hide(detail));
    if (isMalformed(error))
      return new Error(`MCP server ${this.name} answered with something that is no result of a tool.`);
    if (isTimeout(error)) {
      void this.#checkPulse(connection);
      return new Error(
        `MCP server ${this.name} gave no answer and no progress for ${timeoutMs ?? callTimeoutMs} ms. ` +
          "The call was canceled; its outcome is unknown.",
      );
    }
    if (this.#options.server.kind === "http") {
      // Each call has a request of its own: one that fails says nothing of the others.
      void this.#checkPulse(connection);
      return new Error(`MCP server ${this.name} did not answer: ${this.#hide(detail)}. The call's outcome is unknown.`);
    }
    const reason = await connection.whyEnded(detail);
    this.#lost(connection, reason);
    return new Error(
      `MCP server ${this.name} ended while the call ran: ${this.#hide(reason)}. Its outcome is unknown.`,
    );
  }

  /**
   * Called after a call without an answer: a server that does not answer a ping either is started again, unless other
   * calls still wait for it.
   */
  async #checkPulse(connection: Connection): Promise<void> {
    if (this.#meter.inFlight > 0 || (await connection.answersPing()) || this.#meter.inFlight > 0) return;
    this.#lost(connection, "it did not answer any more");
  }

  #allowed(tools: readonly McpTool[]): readonly McpTool[] {
    const names = this.#options.server.tools;
    return names ? tools.filter(({ name }) => names.includes(name)) : tools;
  }

  #whyNot(): string {
    const state = this.#state;
    if (state.is === "stopped") return "the server is stopping";
    const reason = this.#reason ?? "it is starting";
    if (state.is !== "failed") return reason;
    return `${reason}; it is tried again in ${Math.ceil(Math.max(0, state.retryAt - performance.now()) / 1000)} s`;
  }

  #ready(): Extract<State, { is: "ready" }> | undefined {
    return this.#state.is === "ready" ? this.#state : undefined;
  }
}

/** Resolves when `done` does, or rejects with the signal's reason if the signal aborts first. `done` never rejects. */
function until(done: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  void done.then(resolve);
  return promise.finally(() => signal.removeEventListener("abort", onAbort));
}
