/**
 * One model call over the Anthropic SDK, journalled as it streams, tried again when that makes sense. This is
 * the only owner of retries: the SDK's own are off, so every attempt shows in the journal.
 * [SDK 1.11: its `timeout` covers the headers only, hence the idle watchdog.]
 */
import type Anthropic from "@anthropic-ai/sdk";
import type { MessageCreateParamsStreaming, RawMessageStreamEvent } from "@anthropic-ai/sdk/resources/messages";
import { backoffMs } from "../core/backoff.ts";
import { AppError } from "../core/errors.ts";
import { MODEL_STEP } from "../core/event.ts";
import { AnswerReader, type Answer } from "./answer.ts";
import type { Breaker, Passage } from "./breaker.ts";
import { readEvents } from "./event-stream.ts";
import { BrokenAnswer, modelFailure, type ModelFailure } from "./model-error.ts";
import type { ModelMeter } from "./model-meter.ts";
import type { RunJournal } from "./run-journal.ts";
import { sleep } from "./sleep.ts";

const MAX_ATTEMPTS = 4;
const BACKOFF = { firstMs: 500, maxMs: 8_000 };

export interface ModelCall {
  readonly client: Anthropic;
  readonly params: MessageCreateParamsStreaming;
  readonly journal: RunJournal;
  readonly meter: ModelMeter;
  readonly breaker: Breaker;
  readonly idleMs: number;
  /** The run's: aborting it closes the model's socket at once. */
  readonly signal: AbortSignal;
}

/**
 * @returns the whole answer: only one that came to `message_stop` counts
 * @throws AppError MODEL_UNAVAILABLE, MODEL_REJECTED or MODEL_UNAUTHORIZED; the signal's reason when aborted
 */
export async function callModel(call: ModelCall): Promise<Answer> {
  const { meter } = call;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await callOnce(call);
    } catch (error) {
      call.signal.throwIfAborted();
      const failure = modelFailure(error);
      if (!failure) throw error;
      meter.failed();
      if (!failure.retryable) throw new AppError(failure.code, sentence(failure.reason), { cause: error });
      if (attempt === MAX_ATTEMPTS) {
        throw new AppError(failure.code, sentence(`after ${attempt} attempts, ${failure.reason}`), { cause: error });
      }
      const waitMs = waitBefore(attempt, failure);
      call.journal.retry({ attempt: attempt + 1, reason: failure.reason, wait_ms: waitMs });
      await meter.waiting({ ms: waitMs, rateLimited: failure.rateLimited ?? false }, sleep(waitMs, call.signal));
    }
  }
}

/** One attempt, as soon as the breaker lets it through; or the failure of the one that tried for it. */
async function callOnce(call: ModelCall): Promise<Answer> {
  const { breaker, meter, signal } = call;
  const entering = breaker.enter(signal);
  const wait = { ms: breaker.waitMs, rateLimited: false };
  const passage = await (breaker.isOpen ? meter.waiting(wait, entering) : entering);
  try {
    const answer = await meter.calling(streamOnce(call, passage));
    passage.succeeded();
    return answer;
  } catch (error) {
    // What fails while we end it ourselves says nothing of the model.
    const failure = signal.aborted ? undefined : modelFailure(error);
    if (failure?.retryable) passage.failed(error, failure.retryAfterMs);
    // It refuses what we ask for, so it is well.
    else if (failure) passage.heard();
    throw error;
  } finally {
    passage.leave();
  }
}

async function streamOnce(call: ModelCall, passage: Passage): Promise<Answer> {
  const { client, params, journal, meter, idleMs, signal } = call;
  const abort = new AbortController();
  const follow = () => abort.abort();
  signal.addEventListener("abort", follow);
  let silent = false;
  const idle = setTimeout(() => {
    silent = true;
    abort.abort();
  }, idleMs);
  try {
    signal.throwIfAborted();
    journal.emit({ type: "STEP_STARTED", stepName: MODEL_STEP });
    const answer = new AnswerReader(journal);
    const response = await client.messages.create(params, { signal: abort.signal, timeout: idleMs }).asResponse();
    await readEvents(response, (event) => {
      idle.refresh();
      meter.heard(charactersIn(event));
      passage.heard();
      answer.see(event);
    });
    return answer.whole();
  } catch (error) {
    if (silent) throw new BrokenAnswer(`the model was silent for ${idleMs} ms`);
    throw error;
  } finally {
    clearTimeout(idle);
    signal.removeEventListener("abort", follow);
  }
}

function charactersIn(event: RawMessageStreamEvent): number {
  if (event.type !== "content_block_delta") return 0;
  switch (event.delta.type) {
    case "text_delta":
      return event.delta.text.length;
    case "thinking_delta":
      return event.delta.thinking.length;
    case "input_json_delta":
      return event.delta.partial_json.length;
    default:
      return 0;
  }
}

function waitBefore(attempt: number, { retryAfterMs }: ModelFailure): number {
  const backoff = backoffMs(attempt, BACKOFF);
  if (retryAfterMs === undefined) return backoff;
  // Spread out: all who were told the same second must not come back in the same millisecond.
  return Math.round(retryAfterMs + Math.random() * 250);
}

function sentence(reason: string): string {
  return `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`.replace(/\.\.$/, ".");
}
