/** A journal event as it arrives. Only the checked shape of its content is trusted. */
import type { RunEvent } from "../../core/event.ts";

export type WireEvent = RunEvent & { readonly seq?: number; readonly timestamp?: number };

export type EventOf<T extends WireEvent["type"]> = Extract<WireEvent, { type: T }>;

/** Undefined for a value that is no event. Events of unknown types pass, and change nothing. */
export function readEvent(value: unknown): WireEvent | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  return typeof (value as { type?: unknown }).type === "string" ? (value as WireEvent) : undefined;
}

/** Fields of a CUSTOM event's `value`; a field of a wrong type is read as missing. */
export class CustomValue {
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(value: unknown) {
    this.#fields = typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  }

  text(name: string): string | undefined {
    const value = this.#fields[name];
    return typeof value === "string" ? value : undefined;
  }

  number(name: string): number | undefined {
    const value = this.#fields[name];
    return typeof value === "number" ? value : undefined;
  }

  texts(name: string): string[] {
    const value = this.#fields[name];
    return Array.isArray(value) ? value.filter((entry) => typeof entry === "string") : [];
  }
}
