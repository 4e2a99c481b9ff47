/**
 * What a client of this worker waits for `GET /health`, asked over a real connection: the kernel, the HTTP
 * server, the guard and the event loop are all in it. Owned by `main.ts`. It asks on a loopback port of this
 * worker alone, as the shared port would hand the question to any worker.
 */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { LATENCY } from "../core/gauges.ts";
import { RollingHistogram } from "../observe/rolling-histogram.ts";

// An idle process is asked less often: each question wakes it up from the cold, and a busy one is awake anyway.
// [An idle machine, 20 s each: a worker takes 0.2 % of a core without the probe, 0.4 % with a question every 2.5 s,
// 0.64 % with one a second: four workers would take the whole idle tree from 2.3 % to 4.1 %; it may cost 3 %.]
const BUSY_INTERVAL_MS = 250;
const IDLE_INTERVAL_MS = 5_000;
// After a failure, whatever the load: nothing is told meanwhile.
const RETRY_MS = 1_000;
const BUSY_UTILIZATION = 0.05;
// Timers are due on whole milliseconds: one that runs this late is in time, and no client would have seen it.
const TIMER_GRAIN_MS = 1;
const MAX_ANSWER_BYTES = 4_096;
const ANSWER = /^HTTP\/1\.1 200 [^]*\r\n\r\n\{"status":"ok"\}$/;

export class HealthProbe {
  readonly #adopt: (socket: Socket) => void;
  readonly #latency = new RollingHistogram();
  readonly #listener = createServer((socket) => this.#accept(socket));
  #port = 0;
  /** The one connection, kept alive. Undefined after a failure, until the next question. */
  #client: Socket | undefined;
  #question = "";
  #answer = "";
  /** When the oldest question that has no answer should have been asked. */
  #dueAt = 0;
  #askedAt = 0;
  #utilization = performance.eventLoopUtilization();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  /** @param adopt serves a connection over HTTP */
  constructor(adopt: (socket: Socket) => void) {
    this.#adopt = adopt;
  }

  /** Rejects when there is no loopback port to be had. */
  async start(): Promise<void> {
    // Exclusive: else node:cluster would open the port in the primary and share it among the workers.
    this.#listener.listen({ host: "127.0.0.1", port: 0, exclusive: true });
    await once(this.#listener, "listening");
    this.#listener.on("error", () => {});
    this.#port = (this.#listener.address() as AddressInfo).port;
    this.#question = `GET /health HTTP/1.1\r\nHost: 127.0.0.1:${this.#port}\r\n\r\n`;
    this.#dueAt = performance.now();
    this.#wait();
  }

  /** Gauges: health_p50_ms and health_p99_ms; none when nothing was answered for a while. */
  read(): Record<string, number> {
    return this.#latency.read(LATENCY.health);
  }

  /** Idempotent. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#client?.destroy();
    this.#listener.close();
  }

  /** Nobody else gets in: HOST may keep this machine's other users out, and this port must not let them in. */
  #accept(socket: Socket): void {
    const { localAddress, localPort } = this.#client ?? {};
    // The address too: another address of this machine may use the same port number.
    const isOurs = localPort !== undefined && socket.remotePort === localPort && socket.remoteAddress === localAddress;
    if (isOurs) this.#adopt(socket);
    else socket.destroy();
  }

  #wait(): void {
    this.#timer = setTimeout(() => this.#ask(), Math.max(0, this.#dueAt - performance.now()));
  }

  #ask(): void {
    this.#client ??= this.#connect();
    this.#answer = "";
    this.#askedAt = performance.now();
    this.#client.write(this.#question);
  }

  #connect(): Socket {
    const client = connect({ host: "127.0.0.1", port: this.#port, noDelay: true });
    client.setEncoding("latin1");
    client.on("data", (text: string) => this.#hear(text));
    // Its close says the rest.
    client.on("error", () => {});
    client.on("close", () => {
      if (client !== this.#client || this.#stopped) return;
      this.#client = undefined;
      // No answer is no latency; the next question gets a new connection.
      this.#skip();
    });
    return client;
  }

  #hear(text: string): void {
    this.#answer += text;
    if (ANSWER.test(this.#answer)) return this.#record();
    if (this.#answer.length > MAX_ANSWER_BYTES) this.#client?.destroy();
  }

  /**
   * Counted from when a question was due, not from when it was sent. While the loop is blocked none is sent, and
   * those clients wait all the same: every question that was due by then has this answer for its own.
   */
  #record(): void {
    const answeredAt = performance.now();
    const intervalMs = this.#nextIntervalMs();
    while (this.#dueAt <= this.#askedAt) {
      const shouldHaveAskedAt = Math.min(this.#askedAt, this.#dueAt + TIMER_GRAIN_MS);
      this.#latency.record(answeredAt - shouldHaveAskedAt);
      this.#dueAt += intervalMs;
    }
    this.#wait();
  }

  #skip(): void {
    this.#dueAt = performance.now() + RETRY_MS;
    this.#wait();
  }

  /** Chosen by how busy the loop was since the last answer; a blocked loop counts as busy. */
  #nextIntervalMs(): number {
    const before = this.#utilization;
    this.#utilization = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(this.#utilization, before);
    return utilization > BUSY_UTILIZATION ? BUSY_INTERVAL_MS : IDLE_INTERVAL_MS;
  }
}
