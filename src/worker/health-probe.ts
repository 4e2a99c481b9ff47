/**
 * Measures how long a client of this worker waits for `GET /health`, over a real connection: the time includes the
 * kernel, the HTTP server, the guard and the event loop. Owned by `main.ts`. The probe uses a loopback port of this
 * worker alone, because the shared port would hand the question to any worker.
 */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { LATENCY } from "../core/gauges.ts";
import { RollingHistogram } from "../observe/rolling-histogram.ts";

// An idle process is asked less often, because each question wakes it up; a busy process is awake anyway. [An idle
// machine, 20 s each: a worker takes 0.2 % of a core without the probe, 0.4 % with a question every 2.5 s, 0.64 % with
// one a second: four workers would raise the whole idle server from 2.3 % to 4.1 %; its limit is 3 %.]
const BUSY_INTERVAL_MS = 250;
const IDLE_INTERVAL_MS = 5_000;
// Pause after a failure, whatever the load: meanwhile no gauge is reported.
const RETRY_MS = 1_000;
const BUSY_UTILIZATION = 0.05;
// Timers fire on whole milliseconds: a timer that is this late is on time, and no client would have waited longer.
const TIMER_GRAIN_MS = 1;
const MAX_ANSWER_BYTES = 4_096;
const ANSWER = /^HTTP\/1\.1 200 [^]*\r\n\r\n\{"status":"ok"\}$/;

export class HealthProbe {
  readonly #adopt: (socket: Socket) => void;
  readonly #latency = new RollingHistogram();
  readonly #listener = createServer((socket) => this.#accept(socket));
  #port = 0;
  /** The only connection, kept alive. Undefined after a failure, until the next question. */
  #client: Socket | undefined;
  #question = "";
  #answer = "";
  /** When the oldest unanswered question was due. */
  #dueAt = 0;
  #askedAt = 0;
  #utilization = performance.eventLoopUtilization();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  /** @param adopt serves a connection over HTTP */
  constructor(adopt: (socket: Socket) => void) {
    this.#adopt = adopt;
  }

  /** Rejects when no loopback port is free. */
  async start(): Promise<void> {
    // Exclusive: otherwise node:cluster would open the port in the primary and share it among the workers.
    this.#listener.listen({ host: "127.0.0.1", port: 0, exclusive: true });
    await once(this.#listener, "listening");
    this.#listener.on("error", () => {});
    this.#port = (this.#listener.address() as AddressInfo).port;
    this.#question = `GET /health HTTP/1.1\r\nHost: 127.0.0.1:${this.#port}\r\n\r\n`;
    this.#dueAt = performance.now();
    this.#wait();
  }

  /** Gauges: health_p50_ms and health_p99_ms; none when no question was answered for a while. */
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

  /**
   * Accepts only the probe's own connection: HOST may keep this machine's other users out, and this port must not let
   * them in.
   */
  #accept(socket: Socket): void {
    const { localAddress, localPort } = this.#client ?? {};
    // Compare the address, too: another address of this machine may use the same port number.
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
    // Its close event does the rest.
    client.on("error", () => {});
    client.on("close", () => {
      if (client !== this.#client || this.#stopped) return;
      this.#client = undefined;
      // A missing answer is not a latency; the next question uses a new connection.
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
   * Latency is counted from the time when a question was due, not when it was sent. While the loop is blocked, no
   * question is sent, but clients wait all the same: so the next answer counts for every question that was due by then.
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

  /** Depends on how busy the loop was since the last answer; a blocked loop counts as busy. */
  #nextIntervalMs(): number {
    const before = this.#utilization;
    this.#utilization = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(this.#utilization, before);
    return utilization > BUSY_UTILIZATION ? BUSY_INTERVAL_MS : IDLE_INTERVAL_MS;
  }
}
