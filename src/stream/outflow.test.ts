import { EventEmitter, once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { setImmediate as nextTick } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { expect, onTestFinished, test, vi } from "vitest";
import { DeliveryMeter } from "./meter.ts";
import { Outflow } from "./outflow.ts";

/** Before it judges, an outflow lets the loop read: with fake timers, that takes another millisecond. */
const SLOW_MS = 1_000;

/** A connection's buffer whose filling and emptying the test decides. */
class Buffer extends EventEmitter {
  writableLength = 0;
  writableNeedDrain = false;
  /** The rest of the write in progress, as a socket has it. */
  readonly _handle = { writeQueueSize: 0 };

  fill(bytes: number): void {
    this.writableLength = bytes;
    this.writableNeedDrain = true;
  }

  empty(): void {
    this.writableLength = 0;
    this.writableNeedDrain = false;
    this.emit("drain");
  }
}

function setUp() {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const buffer = new Buffer();
  const meter = new DeliveryMeter();
  const onSlow = vi.fn<() => void>();
  const tcp = () => buffer as unknown as Socket;
  return { buffer, meter, onSlow, outflow: new Outflow(buffer, { meter, slowClientMs: SLOW_MS, tcp, onSlow }) };
}

test("who takes nothing for SLOW_CLIENT_MS is slow", () => {
  const { buffer, outflow, onSlow, meter } = setUp();
  buffer.fill(70_000);
  outflow.wrote();

  vi.advanceTimersByTime(SLOW_MS - 1);
  expect(onSlow).not.toHaveBeenCalled();
  vi.advanceTimersByTime(2);

  expect(onSlow).toHaveBeenCalledOnce();
  expect(meter.read()["closed_as_slow"]).toBe(1);
});

test("who takes a little within each SLOW_CLIENT_MS is not slow, until it stops", () => {
  const { buffer, outflow, onSlow } = setUp();
  buffer.fill(70_000);
  outflow.wrote();

  for (let left = 60_000; left > 0; left -= 10_000) {
    vi.advanceTimersByTime(SLOW_MS - 1);
    buffer.writableLength = left;
    vi.advanceTimersByTime(2);
  }
  expect(onSlow).not.toHaveBeenCalled();
  vi.advanceTimersByTime(SLOW_MS + 2);

  expect(onSlow).toHaveBeenCalledOnce();
});

test("who takes a large write bit by bit is not slow, until it stops", () => {
  const { buffer, outflow, onSlow } = setUp();
  buffer.fill(5_000_000);
  outflow.wrote();

  for (let left = 4_000_000; left > 0; left -= 1_000_000) {
    buffer._handle.writeQueueSize = left;
    vi.advanceTimersByTime(SLOW_MS);
  }
  expect(onSlow).not.toHaveBeenCalled();
  vi.advanceTimersByTime(2 * SLOW_MS);

  expect(onSlow).toHaveBeenCalledOnce();
});

test("whoever waits for room is called once there is some, in turn, and only as long as there is", () => {
  const { buffer, outflow } = setUp();
  const called: string[] = [];
  buffer.fill(70_000);
  outflow.onDrain(() => {
    called.push("first");
    buffer.fill(70_000);
  });
  outflow.onDrain(() => called.push("second"));

  buffer.empty();
  expect(called).toEqual(["first"]);
  buffer.empty();

  expect(called).toEqual(["first", "second"]);
});

test("one that goes on waiting does not hold up the loop", () => {
  const { buffer, outflow } = setUp();
  let calls = 0;
  const waitOn = () => {
    calls += 1;
    outflow.onDrain(waitOn);
  };
  outflow.onDrain(waitOn);

  buffer.empty();

  expect(calls).toBe(1);
});

test("nobody is called, and nothing is timed, once the connection is closed", () => {
  const { buffer, outflow, onSlow, meter } = setUp();
  const resume = vi.fn<() => void>();
  buffer.fill(70_000);
  outflow.wrote();
  outflow.onDrain(resume);

  buffer.emit("close");
  vi.advanceTimersByTime(SLOW_MS);
  buffer.empty();

  expect([resume.mock.calls, onSlow.mock.calls, meter.outflows.size]).toEqual([[], [], 0]);
});

/** A client that reads nothing before it is told to. In a thread of its own, because it reads while the server has no time. */
const LATE_READER = `
  const { connect } = require("node:net");
  const { parentPort, workerData: port } = require("node:worker_threads");
  const socket = connect(port, "127.0.0.1").pause();
  parentPort.once("message", () => socket.resume());
  socket.on("close", () => parentPort.close());
`;

test("a client that read all there was while the server had no time is not slow", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection");
  const client = new Worker(LATE_READER, { eval: true, workerData: (server.address() as AddressInfo).port });
  const [socket] = (await accepted) as [Socket];
  const onSlow = vi.fn<() => void>();
  const limits = { meter: new DeliveryMeter(), slowClientMs: SLOW_MS };
  const outflow = new Outflow(socket, { ...limits, tcp: () => socket, onSlow });
  // More than the kernel takes.
  socket.write("x".repeat(32_000_000));
  await vi.waitFor(() => expect(socket.writableNeedDrain).toBe(true));
  // The kernel has taken what it takes, and timers are next.
  await nextTick();
  await nextTick();

  outflow.wrote();
  // The empty list: see `Upkeep.stop`.
  client.postMessage("read", []);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SLOW_MS + 1_000);
  await once(socket, "drain");

  expect(onSlow).not.toHaveBeenCalled();
  socket.destroy();
  await client.terminate();
  server.close();
});
