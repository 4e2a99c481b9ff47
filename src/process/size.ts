/**
 * The size of one kind: remembers how busy its processes were, second by second, and says when their number should
 * change. One a kind, owned by the supervisor, which makes the changes.
 */
import type { ChildKind } from "./protocol.ts";
import { adviceFor, wantedChange, type Advice, type Bounds, type Change } from "./scale.ts";

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
  /** Mean busy percent of all processes, one a second since the last change; at most ADVICE_SECONDS. */
  #seconds: number[] = [];
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
   * Called once a second with how busy each serving process is. @returns the change that is needed, if any
   */
  tick(busyPercents: readonly number[], count: number): Change | undefined {
    if (busyPercents.length > 0) this.#seconds = [...this.#seconds, meanOf(busyPercents)].slice(-ADVICE_SECONDS);
    this.#ticks += 1;
    if (this.#ticks % LOOK_EACH_SECONDS !== 0) return undefined;
    const { kind, cores } = this.#options;
    const bounds = this.#bounds();
    const load = { kind, count, bounds };
    this.#advice = adviceFor(
      { ...load, busyPercent: this.#meanOfLast(ADVICE_SECONDS) },
      { cores: cores(), minutes: ADVICE_SECONDS / MINUTE },
    );
    return wantedChange({ ...load, busyPercent: this.#meanOfLast(MINUTE) });
  }

  /** The number has changed: what was measured before says nothing about it. */
  changed(): void {
    this.#seconds = [];
    this.#advice = undefined;
  }

  /** A person has set the number: from now on it is `count`, whatever the load is. */
  hold(count: number): void {
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

  #meanOfLast(seconds: number): number | undefined {
    return this.#seconds.length < seconds ? undefined : meanOf(this.#seconds.slice(-seconds));
  }
}

function meanOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}
