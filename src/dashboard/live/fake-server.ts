/** A WebSocket server for the tests of this folder, which decide what it sends. They run in Node. */
// oxlint-disable no-restricted-imports, no-restricted-globals
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { vi } from "vitest";
import { WebSocketServer, type WebSocket as Peer } from "ws";

export type { WebSocket as Peer } from "ws";

type Frame = Record<string, unknown>;

/** Answers nothing by itself: the test says what the server says. */
export class FakeServer implements AsyncDisposable {
  readonly server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  readonly peers: Peer[] = [];
  readonly received: Frame[] = [];
  readonly connectedAt: number[] = [];

  static async open(): Promise<FakeServer> {
    const server = new FakeServer();
    await once(server.server, "listening");
    return server;
  }

  constructor() {
    this.server.on("connection", (peer) => {
      this.peers.push(peer);
      this.connectedAt.push(performance.now());
      peer.on("message", (data: Buffer) => this.received.push(JSON.parse(data.toString()) as Frame));
    });
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Sends to the newest connection. */
  say(frame: Frame): void {
    this.peers.at(-1)?.send(JSON.stringify(frame));
  }

  /** The n-th frame that came, from 0. */
  async frame(n: number): Promise<Frame> {
    return vi.waitFor(() => {
      const frame = this.received[n];
      if (!frame) throw new Error(`only ${this.received.length} frames came`);
      return frame;
    });
  }

  async connected(n: number): Promise<void> {
    await vi.waitFor(() => {
      if (this.peers.length !== n) throw new Error(`${this.peers.length} connections`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.peers) peer.terminate();
    this.server.close();
    await once(this.server, "close");
  }
}
