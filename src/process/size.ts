/**
 * The size of one kind: remembers how busy its processes were, second by second, and says when their number should
 * change. One a kind, owned by the supervisor, which makes the changes.
 */
import type { ChildKind, Vitals } from "./protocol.ts";
import { adviceFor, busyOf, meanOf, wantedChange, type Advice, type Bounds, type Busy, type Change } from "./scale.ts";

const MINUTE = 60;
/** Seconds over which advice is measured, and the bound of what is remembered. */
const ADVICE_SECONDS = 5 * MINUTE;
/** Bounds that follow the machine are read from files, so they are not read each second. */
const LOOK_EACH_SECONDS = 10;

export interface SizeOptions {
  readonly kind: ChildKind;
  /** Read at each look, so that WORKERS=auto follows the machine. */
  readonly bounds: () => Bounds;
  readonly cores: () => number;
}

export class Size {
  readonly #options: SizeOptions;
  /** One a second since the last change; at most ADVICE_SECONDS. */
  #seconds: Busy[] = [];
  #ticks = 0;
  #byHand: number | undefined;
  #advice: Advice | undefined;

  constructor(options: SizeOptions) {
    this.#options = options;
  }

  get advice(): Advice | undefined {
    return this.#advice;
  }

  /**
   * Called once a second with the vitals of each serving process. @returns the change that is needed, if any
   */
  tick(serving: readonly Vitals[], count: number): Change | undefined {
    const busy = busyOf(serving);
    if (busy) this.#seconds = [...this.#seconds, busy].slice(-ADVICE_SECONDS);
    this.#ticks += 1;
    if (this.#ticks % LOOK_EACH_SECONDS !== 0) return undefined;
    const { kind, cores } = this.#options;
    const bounds = this.#bounds();
    const load = { kind, count, bounds };
    this.#advice = adviceFor(
      { ...load, busy: this.#meanOfLast(ADVICE_SECONDS) },
      { cores: cores(), minutes: ADVICE_SECONDS / MINUTE },
    );
    return wantedChange({ ...load, busy: this.#meanOfLast(MINUTE) });
  }

  /** The number has changed: what was measured before says nothing about it. */
  changed(): void {
    this.#seconds = [];
    this.#advice = undefined;
  }

  /** A person has set the number: from now on it is `count`, whatever the load is. Undefined: as the settings say. */
  hold(count: number | undefined): void {
    this.#byHand = count;
  }

  /**
   * The load makes no more processes than there are cores: beyond them, busy processes only wait for each other. [On 2
   * cores, 8 workers answered a quarter less than 2.]
   */
  #bounds(): Bounds {
    if (this.#byHand !== undefined) return { min: this.#byHand, max: this.#byHand };
    const { min, max } = this.#options.bounds();
    return { min, max: Math.max(min, Math.min(max, this.#options.cores())) };
  }

  #meanOfLast(count: number): Busy | undefined {
    if (this.#seconds.length < count) return undefined;
    const seconds = this.#seconds.slice(-count);
    return {
      busyPercent: meanOf(seconds.map(({ busyPercent }) => busyPercent)),
      workPercent: meanOf(seconds.map(({ workPercent }) => workPercent)),
    };
  }
}
