import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { setImmediate as nextTick } from "node:timers/promises";
import { afterEach, expect, test, vi } from "vitest";
import { TimeLimit } from "./time-limit.ts";

afterEach(() => void vi.useRealTimers());

test("what came while the process stood still is read before its time is judged", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection");
  const peer = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [socket] = (await accepted) as [Socket];
  const onOver = vi.fn<() => void>();
  // Timers are next.
  await nextTick();

  const limit = new TimeLimit(50, onOver);
  socket.on("data", () => limit.stop());
  peer.write("done");
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
  await once(socket, "data");
  await nextTick();

  expect(onOver).not.toHaveBeenCalled();
  peer.destroy();
  server.close();
});

test("it is over once, after its time and what was added to that, and not when it was stopped", async () => {
  vi.useFakeTimers();
  const [extended, stopped] = [vi.fn<() => void>(), vi.fn<() => void>()];
  const limit = new TimeLimit(1_000, extended);
  new TimeLimit(1_000, stopped).stop();

  await vi.advanceTimersByTimeAsync(900);
  limit.extend(500);
  await vi.advanceTimersByTimeAsync(599);
  expect(extended).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  limit.extend(500);
  await vi.advanceTimersByTimeAsync(5_000);

  expect([extended.mock.calls.length, stopped.mock.calls.length]).toEqual([1, 0]);
});
