import type { ServerResponse } from "node:http";
import { Writable } from "node:stream";
import { expect, test, vi } from "vitest";
import { DeliveryMeter } from "./meter.ts";
import { PiecewiseReply } from "./piecewise.ts";

const SLOW_CLIENT_MS = 1_000;

/** A reply whose client takes a write only when `take` is called. */
function open() {
  const taken: string[] = [];
  let take: (() => void) | undefined;
  const response = new Writable({
    highWaterMark: 1,
    decodeStrings: false,
    write: (chunk: string, _encoding, done) => {
      take = () => {
        taken.push(chunk);
        done();
      };
    },
  });
  const meter = new DeliveryMeter();
  const limits = { meter, slowClientMs: SLOW_CLIENT_MS };
  const reply = new PiecewiseReply(Object.assign(response, { socket: null }) as unknown as ServerResponse, limits);
  return { reply, response, meter, taken, take: () => take?.() };
}

test("the next piece is asked for when the client has taken the one before", async () => {
  const { reply, taken, take } = open();
  let isWritten = false;

  const writing = reply.write("piece").then((isThere) => (isWritten = isThere));
  await new Promise(setImmediate);
  expect(isWritten).toBe(false);
  take();
  await writing;

  expect({ isWritten, taken }).toEqual({ isWritten: true, taken: ["piece"] });
});

test("a client that leaves in the middle ends the wait, and nothing more is written", async () => {
  const { reply, response, meter } = open();

  const writing = reply.write("piece");
  response.destroy();

  expect(await writing).toBe(false);
  expect(await reply.write("another")).toBe(false);
  expect(meter.outflows.size).toBe(0);
});

test("a client that takes nothing for SLOW_CLIENT_MS is cut off", async () => {
  vi.useFakeTimers();
  const { reply, response, meter } = open();

  const writing = reply.write("piece");
  // The time limit lets the loop read once before it judges.
  await vi.advanceTimersByTimeAsync(SLOW_CLIENT_MS + 1);
  vi.useRealTimers();

  expect(await writing).toBe(false);
  expect(response.destroyed).toBe(true);
  expect(meter.outflows.size).toBe(0);
});
