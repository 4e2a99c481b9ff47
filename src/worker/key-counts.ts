/**
 * How many requests came with each API key, or with tokens of each identity provider, for `/metrics`, which may name
 * keys and providers but never a user. Owned by the guard; counted by listener and upgrade.
 */
import { keyGauge } from "../core/gauges.ts";
import { ANONYMOUS, type Principal } from "../core/principal.ts";

export class KeyCounts {
  /** By gauge. Bounded by the keys and providers that the operator named. */
  readonly #counts = new Map<string, number>();

  add({ via }: Principal): void {
    if (via === ANONYMOUS.via) return;
    const gauge = keyGauge(via);
    this.#counts.set(gauge, (this.#counts.get(gauge) ?? 0) + 1);
  }

  read(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }
}
