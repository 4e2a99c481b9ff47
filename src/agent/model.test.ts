/**
 * How long a model call goes on, and what it tells the breaker. A stub replaces the SDK, so that failures come at an
 * exact moment.
 */
import type Anthropic from "@anthropic-ai/sdk";
import { Readable } from "node:stream";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Engine } from "../engine/engine.ts";
import { Attempts } from "./attempts.ts";
import { Governor, type Permit } from "./governor/governor.ts";
import { StreamedResponse } from "./model-http.ts";
import { sharedTexts } from "../testing/shared-texts.ts";
import { ModelMeter } from "./model-meter.ts";
import { callModel } from "./model.ts";
import { Parking } from "./parking.ts";
import { RunJournal } from "./run-journal.ts";
import { APIConnectionError, APIError } from "./sdk.ts";

const NEVER = new AbortController().signal;
const SECOND_MS = 1_000;

// Streams continue in turns of the real event loop, so leave those functions real.
beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] }));
afterEach(() => void vi.useRealTimers());

type Answering = (signal: AbortSignal) => Promise<Response>;

interface CallOptions {
  readonly governor?: Governor;
  readonly signal?: AbortSignal;
  /** The time that the run has left. */
  readonly leftMs?: number;
}

/** Gives time to what follows from a timer: promises, and streams that hand on their data. */
async function turns(): Promise<void> {
  for (let tick = 0; tick < 3; tick += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** The fake clock moves in steps of this length. */
const STEP_MS = 100;

/** The result of a call to a model that answers like this. */
async function call(answering: Answering, options: CallOptions = {}) {
  const { signal = NEVER, leftMs = 600 * SECOND_MS } = options;
  using stack = new DisposableStack();
  const governor = options.governor ?? stack.adopt(makeGovernor(), (own) => own.stop());
  const parking: Parking = new Parking(() => {
    if (parking.wantsSlot) parking.giveSlot();
  });
  let requests = 0;
  const create = (_params: unknown, request: { signal: AbortSignal }) => ({
    asResponse: () => {
      requests += 1;
      return answering(request.signal);
    },
  });
  const client = { messages: { create } } as unknown as Anthropic;
  const engine = { append: async () => {} } as unknown as Engine;
  const journal = new RunJournal({ engine, runId: "run", fence: 1, signal, onCanceled: () => {}, onLost: () => {} });
  const params = { model: "m", max_tokens: 1, messages: [], stream: true as const };
  const began = performance.now();
  const patience = { idleMs: 60 * SECOND_MS, wordlessMs: 200 * SECOND_MS };
  const access = {
    client,
    meter: new ModelMeter(),
    governor,
    rank: 0,
    parking,
    patience,
    headers: {},
    deadline: began + leftMs,
  } as const;
  const attempts = new Attempts(journal, "model");
  const ended = callModel({ ...access, params, attempts, signal }).catch((failure: unknown) => failure);
  const progress = { isOver: false };
  void ended.then(() => (progress.isOver = true));
  while (!progress.isOver) {
    vi.advanceTimersByTime(STEP_MS);
    await turns();
  }
  journal.stop();
  return { result: await ended, attempts: requests, ms: performance.now() - began };
}

const status = (code: number, headers: Record<string, string> = {}): Error =>
  APIError.generate(code, { error: { type: "overloaded_error" } }, "no", new Headers(headers));

const event = (type: string, fields: object = {}): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;

const BEGIN = event("message_start", { message: { usage: {} } });
const WHOLE = `${BEGIN}${event("message_delta", { delta: { stop_reason: "end_turn" }, usage: {} })}${event("message_stop")}`;

/** An answer in pieces, each this long after the one before. It ends after the last piece, or when it is aborted. */
function answerOf(pieces: readonly (readonly [afterMs: number, text: string])[], signal?: AbortSignal): Response {
  const stream = new Readable({ read: () => {} });
  const say = ([piece, ...more]: typeof pieces): void => {
    if (!piece) return void stream.push(null);
    setTimeout(() => {
      if (stream.destroyed) return;
      stream.push(piece[1]);
      say(more);
    }, piece[0]);
  };
  say(pieces);
  signal?.addEventListener("abort", () => stream.destroy(new Error("aborted")));
  const headers = new Headers({ "content-type": "text/event-stream" });
  return new StreamedResponse(stream, { status: 200, headers, url: "http://model", redact: (text) => text });
}

const whole = (): Response => answerOf([[0, WHOLE]]);

function makeGovernor(engine = sharedTexts()): Governor {
  return new Governor({ name: "m", process: "agent 1", engine, log: pino({ level: "silent" }) });
}

test.each([60, 500])("%i s of 529 cost that time, and no run", async (seconds) => {
  const began = performance.now();
  const isDown = () => performance.now() - began < seconds * SECOND_MS;

  const { result, attempts, ms } = await call(async () => {
    if (isDown()) throw status(529);
    return whole();
  });

  expect(result).toMatchObject({ content: [] });
  expect(ms).toBeLessThan((seconds + 35) * SECOND_MS);
  expect(attempts).toBeLessThan(40);
});

test("Retry-After is honoured in full", async () => {
  let refusals = 0;

  const { result, attempts, ms } = await call(async () => {
    if (refusals++ === 0) throw status(429, { "retry-after": "240" });
    return whole();
  });

  expect(result).toMatchObject({ content: [] });
  expect(attempts).toBe(2);
  expect(ms).toBeGreaterThanOrEqual(240 * SECOND_MS);
});

test.each(["0", "-5", "0.2", "Thu, 01 Jan 1970 00:00:00 GMT", "soon"])(
  "a Retry-After that says nothing (%s) does not make us ask more often than our own backoff does",
  async (value) => {
    const { attempts } = await call(() => Promise.reject(status(429, { "retry-after": value })), {
      leftMs: 120 * SECOND_MS,
    });

    expect(attempts).toBeGreaterThan(5);
    expect(attempts).toBeLessThan(20);
  },
);

test("a wait that is longer than the run's time ends it at once, with the reason", async () => {
  const { result, attempts, ms } = await call(async () => {
    throw status(429, { "retry-after": "3600" });
  });

  expect(result).toMatchObject({
    code: "MODEL_UNAVAILABLE",
    message: expect.stringMatching(
      /^After 1 attempt, the model answered 429.*no time left for another one in 360\d s\.$/,
    ),
  });
  expect(attempts).toBe(1);
  expect(ms).toBeLessThan(SECOND_MS);
});

test("a model that is down for good is asked until the run's time is over, less and less often", async () => {
  const { result, attempts, ms } = await call(() => Promise.reject(new APIConnectionError({})), {
    leftMs: 120 * SECOND_MS,
  });

  expect(result).toMatchObject({ code: "MODEL_UNAVAILABLE" });
  expect(ms).toBeGreaterThan(60 * SECOND_MS);
  // The last attempt may begin with the last step, and asks the governor once more.
  expect(ms).toBeLessThanOrEqual(120 * SECOND_MS + STEP_MS);
  expect(attempts).toBeLessThan(15);
});

test("an answer that breaks off every time is paid for every time: four are enough", async () => {
  const { result, attempts } = await call(async () => answerOf([[0, BEGIN]]));

  expect(result).toMatchObject({
    code: "MODEL_UNAVAILABLE",
    message: "After 4 attempts, the answer broke off: it ended before message_stop.",
  });
  expect(attempts).toBe(4);
});

test("pings are signs of life: an answer that takes three minutes is waited for", async () => {
  const pings = Array.from({ length: 9 }, () => [20 * SECOND_MS, event("ping")] as const);

  const { result, attempts } = await call(async () => answerOf([...pings, [0, WHOLE]]));

  expect(result).toMatchObject({ content: [] });
  expect(attempts).toBe(1);
});

test("pings alone are no answer: after the longer limit it is tried again", async () => {
  const pings = Array.from({ length: 100 }, () => [20 * SECOND_MS, event("ping")] as const);
  let asked = 0;

  const { result, ms } = await call(async (signal) => (asked++ === 0 ? answerOf(pings, signal) : whole()));

  expect(result).toMatchObject({ content: [] });
  expect(asked).toBe(2);
  expect(ms).toBeGreaterThanOrEqual(200 * SECOND_MS);
  expect(ms).toBeLessThan(202 * SECOND_MS);
});

test("without a byte it is given up after the shorter limit", async () => {
  let asked = 0;

  const { result, ms } = await call(async (signal) => (asked++ === 0 ? answerOf([[1e9, ""]], signal) : whole()));

  expect(result).toMatchObject({ content: [] });
  expect(ms).toBeLessThan(62 * SECOND_MS);
});

/** Whether calls are held back after this many failures in a row. */
async function isTroubledAfter(governor: Governor, failures: number): Promise<boolean> {
  for (let failure = 0; failure < failures; failure += 1) {
    const entry = { rank: 0, tokens: () => 1, signal: NEVER, hasOther: false, onWait: () => {} } as const;
    const permit = await governor.enter(entry);
    permit.failed({ isLimit: false, retryAfterMs: undefined, told: {} });
    permit.leave();
  }
  await turns();
  vi.advanceTimersByTime(100);
  await turns();
  return governor.read().isTroubled;
}

test("a call that fails while its run is canceled says nothing of the model", async () => {
  const governor = makeGovernor();
  await call(async () => whole(), { governor });
  const cancel = new AbortController();
  const canceled = new Error("canceled");
  const fail = async () => {
    cancel.abort(canceled);
    throw new APIConnectionError({});
  };

  const { result } = await call(fail, { governor, signal: cancel.signal });

  expect(result).toBe(canceled);
  expect(await isTroubledAfter(governor, 9)).toBe(false);
  governor.stop();
});

test("a model that refuses what it is asked for is well", async () => {
  const governor = makeGovernor();
  await call(async () => whole(), { governor });
  expect(await isTroubledAfter(governor, 10)).toBe(true);
  const refusal = APIError.generate(400, { error: { type: "invalid_request_error" } }, "no", new Headers());

  const { result } = await call(() => Promise.reject(refusal), { governor });
  vi.advanceTimersByTime(100);
  await turns();

  expect(result).toMatchObject({ code: "MODEL_REJECTED" });
  expect(governor.read().isTroubled).toBe(false);
  governor.stop();
});

test("what a call writes to the prompt cache counts against the limit of input tokens, what it reads does not", async () => {
  const succeeded = vi.fn<Permit["succeeded"]>();
  const permit = { heard: () => {}, succeeded, failed: () => {}, leave: () => {} };
  const governor = { enter: async () => permit } as unknown as Governor;
  const usage = { input_tokens: 12, cache_creation_input_tokens: 50_000, cache_read_input_tokens: 7_000 };
  const text = WHOLE.replace('"usage":{}', `"usage":${JSON.stringify(usage)}`);

  await call(async () => answerOf([[0, text]]), { governor });

  expect(succeeded).toHaveBeenCalledWith(expect.objectContaining({ input: 50_012 }));
});
