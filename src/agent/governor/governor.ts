/**
 * Every call of a model goes through its governor, for all runs of all agent processes. It lets calls through as fast
 * as the model allows, interactive runs first, and holds them while the model is in trouble. The processes agree
 * through one shared text in the engine (`allowance.ts`); the calls of this process wait here. Made by `governors.ts`,
 * asked by `model.ts`. A model that limits nothing costs no write, and a read every REFRESH_MS while it is called.
 */
import { AppError } from "../../core/errors.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Log } from "../../observe/log.ts";
import { isTroubled, NEW, RANKS, type Allowance, type Rank } from "./allowance.ts";
import { ask, etaMs, isOpen } from "./asking.ts";
import { failed, heard, left, limited, succeeded, used, type Told } from "./outcomes.ts";

/** While nothing is limited, a call may go by what was known this long ago. */
const REFRESH_MS = 1_000;
/** A waiting call asks again this often, because other calls may have gone meanwhile. */
const ASK_AGAIN_MS = 1_000;
/** Reports of this process's calls are gathered for this long, and written together. */
const REPORT_MS = 20;
/** A call that has waited for this long gets the first rank. */
const AGED_MS = 30_000;
/** A person should be told of a wait that is longer than this. */
export const TELL_MS = 3_000;

export interface GovernorOptions {
  /** Name of the shared text: it identifies the model and the key that pays for it. */
  readonly name: string;
  /** Identifies this process among those that share the text. */
  readonly process: string;
  readonly engine: Pick<Engine, "shared" | "share">;
  readonly log: Log;
}

export interface Entry {
  readonly rank: Rank;
  /** Input tokens, estimated. Called only when the call has to wait: the estimate costs more the longer a thread is. */
  readonly tokens: () => number;
  readonly signal: AbortSignal;
  /** The caller would rather ask another model than wait for one that is in trouble. */
  readonly hasOther: boolean;
  /** The call has to wait for about `etaMs` more. Called again when the estimate changes by much. */
  readonly onWait: (wait: { readonly reason: string; readonly etaMs: number }) => void;
}

/** One call that was let through. Report its outcome, and call `leave` when it has ended, however it ended. */
export interface Permit {
  /** The model has begun to answer, or has refused the request for good: it is not in trouble. */
  heard(told: Told): void;
  /** The model has given a whole answer. */
  succeeded(tokens: { readonly input: number; readonly output: number }): void;
  failed(failure: { readonly isLimit: boolean; readonly retryAfterMs: number | undefined; readonly told: Told }): void;
  leave(): void;
}

interface Waiting extends Omit<Entry, "tokens"> {
  readonly tokens: number;
  readonly since: number;
  readonly pass: (permit: Permit) => void;
  readonly fail: (error: AppError) => void;
}

type Rule = (allowance: Allowance, now: number) => Allowance;
type Change<T> = (allowance: Allowance, now: number) => { readonly next: Allowance; readonly result: T };

export class Governor {
  readonly #options: GovernorOptions;
  // Bounded by the runs of this process.
  readonly #waiting = new Set<Waiting>();
  /** The shared text, as it was last read or written. */
  #known: Allowance = NEW;
  #knownAt = -Infinity;
  #refreshing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Changes of the shared text run one after the other. */
  #changing: Promise<unknown> = Promise.resolve();
  #asking = false;
  // Bounded by the calls that end within REPORT_MS.
  #reports: Rule[] = [];
  #reporting: NodeJS.Timeout | undefined;

  constructor(options: GovernorOptions) {
    this.#options = options;
  }

  /** This process's waiting calls, and about how long until the next may go. */
  read(): { readonly waiting: number; readonly waitMs: number; readonly isTroubled: boolean } {
    const now = Date.now();
    const waitMs = this.#waiting.size > 0 ? etaMs(this.#known, 0, now) : 0;
    return { waiting: this.#waiting.size, waitMs, isTroubled: isTroubled(this.#known) };
  }

  /**
   * Resolves when the call may be made.
   * @throws the signal's reason; AppError MODEL_UNAVAILABLE when the model is in trouble and the caller has another
   */
  async enter(entry: Entry): Promise<Permit> {
    entry.signal.throwIfAborted();
    if (this.#needNotAsk) await this.#refresh();
    entry.signal.throwIfAborted();
    if (this.#needNotAsk) return this.#permit(0, 0);
    const { promise, resolve, reject } = Promise.withResolvers<Permit>();
    const since = performance.now();
    const waiting: Waiting = { ...entry, tokens: entry.tokens(), since, pass: resolve, fail: reject };
    const onAbort = () => {
      this.#waiting.delete(waiting);
      reject(entry.signal.reason);
    };
    entry.signal.addEventListener("abort", onAbort);
    this.#waiting.add(waiting);
    this.#askSoon(0);
    try {
      return await promise;
    } finally {
      entry.signal.removeEventListener("abort", onAbort);
    }
  }

  get #needNotAsk(): boolean {
    return this.#waiting.size === 0 && isOpen(this.#known, Date.now());
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#reporting);
  }

  #askSoon(ms: number): void {
    if (this.#asking) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), ms);
  }

  /** Asks for all calls that wait here, lets those go that may, and asks again for the others later. */
  async #ask(): Promise<void> {
    this.#asking = true;
    const order = this.#inOrder();
    const { process } = this.#options;
    const asked = await this.#change((allowance, now) => {
      const result = ask(allowance, process, { asks: order, now });
      return { next: result.next, result: { ...result, first: allowance.granted + 1, now } };
    });
    this.#asking = false;
    // A storage that fails must not stop model calls, which do not need it.
    const going = asked ? order.slice(0, asked.granted) : order;
    for (const [index, { waiting }] of going.entries()) this.#letGo(waiting, asked ? asked.first + index : 0);
    if (isTroubled(this.#known)) this.#giveUp(order.slice(going.length));
    if (this.#waiting.size === 0) return;
    // These calls came during the failed question. Ask for them at once: that also lets go all that it asks for.
    if (!asked) return this.#askSoon(0);
    for (const [index, { waiting }] of this.#inOrder().entries())
      waiting.onWait({ reason: asked.reason, etaMs: Math.round(etaMs(this.#known, index, asked.now)) });
    this.#askSoon(Math.min(ASK_AGAIN_MS, Math.max(10, asked.waitMs)) + Math.random() * 20);
  }

  /** A call that was canceled while this process asked gives its permit back. */
  #letGo(waiting: Waiting, nth: number): void {
    const permit = this.#permit(nth, waiting.tokens);
    if (this.#waiting.delete(waiting)) waiting.pass(permit);
    else permit.leave();
  }

  /** A single call is the trial that finds the model again. Callers with another model need not wait for it. */
  #giveUp(asked: readonly { readonly waiting: Waiting }[]): void {
    for (const { waiting } of asked) {
      if (!waiting.hasOther || !this.#waiting.delete(waiting)) continue;
      waiting.fail(new AppError("MODEL_UNAVAILABLE", "The model is in trouble: its last calls failed."));
    }
  }

  /** Waiting calls, sorted by rank and then by arrival. */
  #inOrder(): { readonly waiting: Waiting; readonly rank: Rank; readonly tokens: number }[] {
    const now = performance.now();
    return [...this.#waiting]
      .map((waiting) => ({
        waiting,
        rank: now - waiting.since > AGED_MS ? RANKS.interactive : waiting.rank,
        tokens: waiting.tokens,
      }))
      .toSorted((a, b) => a.rank - b.rank || a.waiting.since - b.waiting.since);
  }

  /** @param nth the number under which the call was let through; 0: it did not ask, as nothing was limited */
  #permit(nth: number, estimated: number): Permit {
    // Each permit has one outcome that settles it; a permit of number 0 has nothing to settle.
    let isSettled = nth === 0;
    const settle = (rule: Rule) => {
      if (!isSettled) this.#report(rule);
      isSettled = true;
    };
    let isCounted = false;
    return {
      heard: (told) => {
        // The server has counted this call in what it says is left.
        isCounted ||= told.input !== undefined;
        const isNews = Object.keys(told).length > 0 || isTroubled(this.#known);
        if (nth === 0 && isNews) this.#report((a, now) => heard(a, told, { nth: a.granted, now }));
        else settle((a, now) => heard(a, told, { nth, now }));
      },
      succeeded: ({ input, output }) => {
        const { buckets, failures } = this.#known;
        if (failures > 0) this.#report(succeeded);
        if (!buckets.input && !buckets.output) return;
        this.#report((a, now) => used(a, { input, output, estimated: isCounted ? input : estimated }, now));
      },
      failed: ({ isLimit, retryAfterMs: waitMs, told }) => {
        isSettled = true;
        this.#report((a, now) => (isLimit ? limited : failed)(a, { waitMs, told, now }));
      },
      leave: () => settle(left),
    };
  }

  /** Gathers the reports of REPORT_MS into one write. */
  #report(change: Rule): void {
    this.#reports.push(change);
    this.#reporting ??= setTimeout(() => {
      this.#reporting = undefined;
      void this.#change((allowance) => ({ next: allowance, result: true })).then(() => {
        if (this.#waiting.size > 0) this.#askSoon(0);
      });
    }, REPORT_MS);
  }

  /** A process that made no call for a while may have missed that another one was refused. */
  async #refresh(): Promise<void> {
    if (performance.now() - this.#knownAt < REFRESH_MS) return;
    this.#refreshing ??= this.#change((allowance) => ({ next: allowance, result: true })).then(() => {
      // Also when the storage failed: its next trouble holds up no call of the next second.
      this.#knownAt = performance.now();
      this.#refreshing = undefined;
    });
    await this.#refreshing;
  }

  /** Changes the shared text, with all reports first. Undefined when the storage failed. */
  #change<T>(change: Change<T>): Promise<T | undefined> {
    const changed = this.#changing.then(() => this.#changeNow(change));
    this.#changing = changed;
    return changed;
  }

  async #changeNow<T>(change: Change<T>): Promise<T | undefined> {
    const { engine, name, log } = this.#options;
    const reports = this.#reports;
    this.#reports = [];
    try {
      // If another process wrote first, try again on top of what it wrote.
      for (;;) {
        const { text, version } = await engine.shared(name);
        const now = Date.now();
        // A process of an older version may have written it, without the newest fields.
        const before = text === null ? NEW : { ...NEW, ...(JSON.parse(text) as Partial<Allowance>) };
        const reported = reports.reduce((allowance, report) => report(allowance, now), before);
        const { next, result } = change(reported, now);
        if (next === before || (await engine.share(name, JSON.stringify(next), version))) {
          this.#known = next;
          this.#knownAt = performance.now();
          return result;
        }
      }
    } catch (error) {
      log.warn({ err: error, model: name }, "cannot share the model's limits with other processes now");
      return undefined;
    }
  }
}
