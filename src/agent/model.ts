/**
 * One model call over the Anthropic SDK. Its answer goes into the journal as it streams, and the call is tried again as
 * long as that makes sense and the run has time. Only this file repeats calls: the SDK's own retries are off, so that
 * every attempt shows in the journal.
 */
import type Anthropic from "@anthropic-ai/sdk";
import type { MessageCreateParamsStreaming } from "@anthropic-ai/sdk/resources/messages";
import { backoffMs } from "../core/backoff.ts";
import { AppError } from "../core/errors.ts";
import { charactersIn, type Answer } from "./answer.ts";
import { AnswerSecrets } from "./answer-secrets.ts";
import type { Attempts } from "./attempts.ts";
import type { Rank } from "./governor/allowance.ts";
import { TELL_MS, type Governor, type Permit } from "./governor/governor.ts";
import { limitsIn } from "./governor/headers.ts";
import { readEvents } from "./event-stream.ts";
import { BrokenAnswer, modelFailure, type ModelFailure } from "./model-error.ts";
import { StreamedResponse } from "./model-http.ts";
import type { ModelMeter } from "./model-meter.ts";
import { charactersOf } from "./history/compaction.ts";
import type { Parking } from "./parking.ts";
import { sleep } from "./sleep.ts";

const BACKOFF = { firstMs: 500, maxMs: 30_000 };
/**
 * A broken-off answer is paid for, so it is tried only a few times. A refused or missing answer costs nothing, so it is
 * tried again until the run's time is over.
 */
const MAX_BROKEN_ANSWERS = 4;

/** How long a model may be silent before an attempt is given up. */
export interface Patience {
  /** Longest silence without a single byte. */
  readonly idleMs: number;
  /** Longest time with pings, but without content. */
  readonly wordlessMs: number;
}

/** What all model calls of one run share. */
export interface ModelAccess {
  readonly client: Anthropic;
  readonly meter: ModelMeter;
  readonly governor: Governor;
  /** Decides which of the waiting calls goes first. */
  readonly rank: Rank;
  /** Frees the run's slot while the call waits for long. */
  readonly parking: Parking;
  readonly patience: Patience;
  /** Headers of the agent's own configuration. */
  readonly headers: Readonly<Record<string, string>>;
  /** The time at which the run's time is over, by `performance.now()`. */
  readonly deadline: number;
}

export interface ModelCall extends ModelAccess {
  /**
   * After so many attempts, and at once while the model is known to be in trouble, the caller asks another model.
   * Without it, or with Infinity, attempts go on as long as the run has time.
   */
  readonly maxAttempts?: number;
  readonly params: MessageCreateParamsStreaming;
  readonly attempts: Attempts;
  /** The signal of the run: aborting it closes the model's socket at once. */
  readonly signal: AbortSignal;
}

/**
 * @returns the whole answer: only an answer with `message_stop` counts
 * @throws AppError MODEL_UNAVAILABLE, MODEL_REJECTED or MODEL_UNAUTHORIZED; the signal's reason when aborted
 */
export async function callModel(call: ModelCall): Promise<Answer> {
  const { meter } = call;
  let brokenAnswers = 0;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await callOnce(call);
    } catch (error) {
      call.signal.throwIfAborted();
      const failure = modelFailure(error);
      if (!failure) throw error;
      meter.failed();
      if (failure.answered) brokenAnswers += 1;
      if (!failure.retryable) throw new AppError(failure.code, sentence(failure.reason), { cause: error });
      const waitMs = waitBefore(attempt, failure);
      const isLate = waitMs >= call.deadline - performance.now();
      if (isLate || brokenAnswers === MAX_BROKEN_ANSWERS || attempt === call.maxAttempts) {
        const late = isLate ? `; the run has no time left for another one in ${Math.ceil(waitMs / 1000)} s` : "";
        const attempts = `after ${attempt} attempt${attempt === 1 ? "" : "s"}`;
        throw new AppError(failure.code, sentence(`${attempts}, ${failure.reason}${late}`), { cause: error });
      }
      call.attempts.retry({ attempt: attempt + 1, reason: failure.reason, wait_ms: waitMs });
      const pause = meter.waiting(
        { ms: waitMs, rateLimited: failure.rateLimited ?? false },
        sleep(waitMs, call.signal),
      );
      if (waitMs > TELL_MS) {
        call.attempts.wait({ reason: failure.reason, until: Date.now() + waitMs });
        await call.parking.pause(pause, call.signal);
      } else await pause;
    }
  }
}

/** One attempt, as soon as the governor lets it through. */
async function callOnce(call: ModelCall): Promise<Answer> {
  const { meter, signal } = call;
  const permit = await takePermit(call);
  try {
    const answer = await meter.calling(streamOnce(call, permit));
    const { input_tokens: fresh, cache_creation_input_tokens: written, output_tokens: output } = answer.usage;
    // Input that is read from the cache does not count against the limit.
    permit.succeeded({ input: fresh + written, output });
    return answer;
  } catch (error) {
    // A call that we aborted ourselves says nothing about the model.
    const failure = signal.aborted ? undefined : modelFailure(error);
    const told = limitsOf(error);
    const { retryable, rateLimited = false, retryAfterMs } = failure ?? {};
    if (retryable) permit.failed({ isLimit: rateLimited, retryAfterMs, told });
    // A model that refuses our request is not in trouble.
    else if (failure) permit.heard(told);
    throw error;
  } finally {
    permit.leave();
  }
}

/** Asks the governor. If the run has to wait for long, the journal says so and why, and the run is parked. */
async function takePermit(call: ModelCall): Promise<Permit> {
  const { governor, rank, params, parking, attempts, meter, signal } = call;
  let toldMs = 0;
  let pausing: Promise<unknown> | undefined;
  const entering = governor.enter({
    rank,
    // The cost of a picture does not depend on its bytes.
    tokens: () => Math.ceil(charactersOf(params) / CHARACTERS_A_TOKEN),
    signal,
    hasOther: Number.isFinite(call.maxAttempts),
    onWait: ({ reason, etaMs }) => {
      const until = Date.now() + etaMs;
      // Tell the reader once, and again only when the wait becomes much longer.
      if (etaMs <= TELL_MS || until < toldMs + RETELL_MS) return;
      pausing ??= parking.pause(meter.waiting({ ms: etaMs, rateLimited: true }, entering), signal);
      // Its error is thrown below.
      pausing.catch(() => {});
      toldMs = until;
      attempts.wait({ reason, until });
    },
  });
  const permit = await entering;
  try {
    await pausing;
  } catch (error) {
    permit.leave();
    throw error;
  }
  return permit;
}

/** The usual rule for English text and JSON, which needs no tokenizer. */
const CHARACTERS_A_TOKEN = 4;
const RETELL_MS = 10_000;

function limitsOf(error: unknown) {
  const headers = error instanceof Error && "headers" in error ? error.headers : undefined;
  return headers instanceof Headers ? limitsIn(headers) : {};
}

async function streamOnce(call: ModelCall, permit: Permit): Promise<Answer> {
  const { client, params, attempts, meter, patience, headers, signal } = call;
  using watchdog = new Watchdog(patience, signal);
  try {
    signal.throwIfAborted();
    const answer = attempts.begin();
    // The SDK's own time limit would cover only the headers; the watchdog covers the whole answer.
    const request = client.messages.create(params, { headers, signal: watchdog.signal, timeout: NO_LIMIT_MS });
    const response = streamed(await request.asResponse());
    const secrets = new AnswerSecrets(response.answerSecrets);
    let isFirst = true;
    let characters = 0;
    await readEvents(response, {
      onSign: () => watchdog.sign(),
      onEvent: (event) => {
        watchdog.word();
        if (isFirst) permit.heard(limitsIn(response.headers));
        isFirst = false;
        const more = charactersIn(event);
        characters += more;
        meter.heard(more);
        for (const clean of secrets.pass(event)) answer.see(clean);
      },
    });
    const whole = answer.whole();
    meter.learn({ characters, usage: whole.usage });
    return whole;
  } catch (error) {
    throw watchdog.verdict ?? error;
  }
}

/** The longest time that a timer takes. */
const NO_LIMIT_MS = 2 ** 31 - 1;

/** Ends an attempt when nothing comes for too long. */
class Watchdog implements Disposable {
  readonly #abort = new AbortController();
  readonly #run: AbortSignal;
  readonly #idle: NodeJS.Timeout;
  readonly #wordless: NodeJS.Timeout;
  readonly #follow = () => this.#abort.abort();
  #hasWord = false;
  /** The reason why the watchdog ended the attempt, if it did. */
  verdict: BrokenAnswer | undefined;

  constructor({ idleMs, wordlessMs }: Patience, run: AbortSignal) {
    this.#run = run;
    run.addEventListener("abort", this.#follow);
    this.#idle = setTimeout(() => this.#bite(`the model was silent for ${idleMs} ms`), idleMs);
    this.#wordless = setTimeout(() => this.#bite(`the model said nothing but pings for ${wordlessMs} ms`), wordlessMs);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** A byte came. */
  sign(): void {
    this.#idle.refresh();
  }

  /** An event came that is not a ping. */
  word(): void {
    this.#hasWord = true;
    this.#wordless.refresh();
  }

  #bite(reason: string): void {
    this.verdict = new BrokenAnswer(reason, this.#hasWord);
    this.#abort.abort();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#idle);
    clearTimeout(this.#wordless);
    this.#run.removeEventListener("abort", this.#follow);
  }
}

function streamed(response: Response): StreamedResponse {
  if (response instanceof StreamedResponse) return response;
  throw new Error("The SDK's client has to be made with `ModelHttp.fetch`.");
}

function waitBefore(attempt: number, { retryAfterMs }: ModelFailure): number {
  const backoff = backoffMs(attempt, BACKOFF);
  if (retryAfterMs === undefined) return backoff;
  // Add some jitter: callers that were told the same second must not come back in the same millisecond.
  return Math.round(retryAfterMs + Math.random() * 250);
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`.replace(/\.\.$/, ".");
}
