/**
 * Gives each tool call of a run an id of its own. Some endpoints give calls of two answers, or two calls of one answer,
 * the same id, and a strict client refuses the second. The n-th call with an id becomes `id#n`; its arguments, step and
 * result follow, as they come in the same order.
 */
import type { CustomValues } from "../core/event.ts";
import type { StoredEvent } from "./encoder.ts";

/** How many events of each kind came for one id. */
interface Counts {
  calls: number;
  results: number;
  stepsStarted: number;
  stepsFinished: number;
}

export class CallNames {
  readonly #prefix: string;
  // Bounded by the tool calls of one run, which its step limit bounds.
  readonly #counts = new Map<string, Counts>();

  /** @param prefix tells the calls of a delegated run from those of other runs in the same stream */
  constructor(prefix = "") {
    this.#prefix = prefix;
  }

  rename(event: StoredEvent): StoredEvent {
    switch (event.type) {
      case "TOOL_CALL_START":
        return { ...event, toolCallId: this.#nth(event.toolCallId, (this.#of(event.toolCallId).calls += 1)) };
      case "TOOL_CALL_ARGS":
      case "TOOL_CALL_END":
        return { ...event, toolCallId: this.#nth(event.toolCallId, this.#of(event.toolCallId).calls) };
      case "TOOL_CALL_RESULT":
        return { ...event, toolCallId: this.#nth(event.toolCallId, (this.#of(event.toolCallId).results += 1)) };
      case "STEP_STARTED":
        return this.#step(event, "stepsStarted");
      case "STEP_FINISHED":
        return this.#step(event, "stepsFinished");
      case "CUSTOM":
        if (event.name === "evenkeel.attempt") return this.#void(event);
        return event;
      default:
        return event;
    }
  }

  #step<E extends StoredEvent & { stepName: string }>(event: E, count: "stepsStarted" | "stepsFinished"): E {
    const [, head, id] = /^(tool:[^:]*:)(.+)$/s.exec(event.stepName) ?? [];
    if (head === undefined || id === undefined) return event;
    return { ...event, stepName: `${head}${this.#nth(id, (this.#of(id)[count] += 1))}` };
  }

  /** A void call never gets a step or a result: the next ones belong to the next call. */
  #void<E extends StoredEvent & { value?: unknown }>(event: E): E {
    const value = event.value as CustomValues["evenkeel.attempt"];
    const voided = value.void.map((id) => {
      const counts = this.#counts.get(id);
      if (!counts) return id;
      const { calls } = counts;
      this.#counts.set(id, { calls, results: calls, stepsStarted: calls, stepsFinished: calls });
      return this.#nth(id, calls);
    });
    return { ...event, value: { ...value, void: voided } };
  }

  #of(id: string): Counts {
    let counts = this.#counts.get(id);
    if (!counts) this.#counts.set(id, (counts = { calls: 0, results: 0, stepsStarted: 0, stepsFinished: 0 }));
    return counts;
  }

  #nth(id: string, n: number): string {
    return `${this.#prefix}${id}${n <= 1 ? "" : `#${n}`}`;
  }
}
