/**
 * What a playback keeps in memory, checked without a network. Its bytes are checked in protocol.test.ts and
 * faults.test.ts.
 */
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { expect, test } from "vitest";
import { Pacer } from "./pacer.ts";
import { Playback } from "./playback.ts";
import { type Steps, TOKEN } from "./steps.ts";

function* endless(): Steps {
  for (;;) {
    yield "x";
    yield TOKEN;
  }
}

test("stopping a playback that waits for its next token leaves nothing behind with the pacer", () => {
  const pacer = new Pacer();
  const playback = new Playback({
    response: new ServerResponse(new IncomingMessage(new Socket())),
    steps: endless(),
    headers: {},
    pacer,
    pace: { ttftMs: 60_000, tokensPerSecond: 1 },
    drip: false,
    onEvent: () => {},
  });
  playback.start();
  expect(pacer.sleepers).toBe(1);
  playback.stop();
  expect(pacer.sleepers).toBe(0);
  pacer.stop();
});
