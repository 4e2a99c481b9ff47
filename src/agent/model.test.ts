/** What a model call tells the breaker. A stub in place of the SDK: its failures have to come at an exact moment. */
import { APIConnectionError, APIError } from "@anthropic-ai/sdk";
import type Anthropic from "@anthropic-ai/sdk";
import { expect, test } from "vitest";
import type { Engine } from "../engine/engine.ts";
import { Breaker } from "./breaker.ts";
import { ModelMeter } from "./model-meter.ts";
import { callModel } from "./model.ts";
import { RunJournal } from "./run-journal.ts";

const NEVER = new AbortController().signal;

/** The failure of a call of a model that answers like this. */
function call(breaker: Breaker, asResponse: () => Promise<never>, signal = NEVER): Promise<unknown> {
  const client = { messages: { create: () => ({ asResponse }) } } as unknown as Anthropic;
  const engine = { append: async () => {} } as unknown as Engine;
  const journal = new RunJournal({ engine, runId: "run", fence: 1, signal, onCanceled: () => {}, onLost: () => {} });
  const params = { model: "m", max_tokens: 1, messages: [], stream: true as const };
  const meter = new ModelMeter();
  return callModel({ client, params, journal, meter, breaker, idleMs: 60_000, signal }).catch(
    (failure: unknown) => failure,
  );
}

async function halfOpen(): Promise<Breaker> {
  const breaker = new Breaker();
  while (!breaker.isOpen) (await breaker.enter(NEVER)).failed(new Error("down"));
  // Resolves with the one that may try; it leaves without a verdict, so that the next one may.
  (await breaker.enter(NEVER)).leave();
  return breaker;
}

test("a call that fails while its run is canceled says nothing of the model", async () => {
  const breaker = await halfOpen();
  const cancel = new AbortController();
  const canceled = new Error("canceled");

  const fail = async () => {
    cancel.abort(canceled);
    throw new APIConnectionError({});
  };
  const failure = await call(breaker, fail, cancel.signal);

  expect(failure).toBe(canceled);
  // The next one may try at once.
  expect(breaker).toMatchObject({ isOpen: true, waitMs: 0 });
  breaker.stop();
});

test("a model that refuses what it is asked for is well", async () => {
  const breaker = await halfOpen();
  const refusal = APIError.generate(400, { error: { type: "invalid_request_error" } }, "no", new Headers());

  const failure = await call(breaker, () => Promise.reject(refusal));

  expect(failure).toMatchObject({ code: "MODEL_REJECTED" });
  expect(breaker.isOpen).toBe(false);
});
