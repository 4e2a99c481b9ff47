import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import type { WebSocket } from "ws";
import { LOCAL } from "../../core/principal.ts";
import { BodyMemory, SMALL_BYTES } from "../body-memory.ts";
import { boundIncoming } from "./incoming.ts";

/** Large messages get three quarters of it. */
const LIMIT = 100_000;

class FakeWs extends EventEmitter {
  isPaused = false;

  pause(): void {
    this.isPaused = true;
  }
}

function open(memory: BodyMemory) {
  const [ws, tcp] = [new FakeWs(), new EventEmitter()];
  let refusals = 0;
  boundIncoming({
    ws: ws as unknown as WebSocket,
    tcp: tcp as unknown as Socket,
    share: memory.share(LOCAL),
    onRefused: () => (refusals += 1),
  });
  onTestFinished(() => void ws.emit("close"));
  const send = (bytes: number) => tcp.emit("data", Buffer.alloc(bytes));
  return { ws, send, refusals: () => refusals };
}

test("a message that is not finished takes room, until it is, or its socket closes", () => {
  const memory = new BodyMemory(LIMIT);
  const [first, second, third] = [open(memory), open(memory), open(memory)];
  first.send(70_000);
  first.ws.emit("message");
  second.send(70_000);
  second.ws.emit("close");
  third.send(70_000);

  expect([first, second, third].map(({ refusals }) => refusals())).toEqual([0, 0, 0]);
});

test("a socket that finds no room is refused once, and nothing more of it is read", () => {
  const memory = new BodyMemory(LIMIT);
  const [first, second, small] = [open(memory), open(memory), open(memory)];
  first.send(70_000);
  second.send(SMALL_BYTES + 1);
  second.send(70_000);
  small.send(SMALL_BYTES);

  expect([second.refusals(), second.ws.isPaused, small.refusals()]).toEqual([1, true, 0]);
});

test("pings take no room, and free none that a message has begun to take", () => {
  const memory = new BodyMemory(LIMIT);
  const [pinging, second] = [open(memory), open(memory)];
  const ping = () => {
    pinging.send(131);
    pinging.ws.emit("ping", Buffer.alloc(125));
  };
  for (let pings = 0; pings < 2_000; pings += 1) ping();
  expect(pinging.refusals()).toBe(0);

  pinging.send(70_000);
  for (let pings = 0; pings < 1_000; pings += 1) ping();
  second.send(70_000);

  expect([pinging.refusals(), second.refusals()]).toEqual([0, 1]);
});
