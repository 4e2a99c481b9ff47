/**
 * Whether a run is parked, and what it waits for: the one rule for every place that says so. It follows the events of
 * the run's journal. The owner's `RunJournal` stores the answer with the run, where lists, filters and `GET
 * /api/runs/{id}` read it; the dashboard follows the same events. Pure.
 */
import { COMPACT_STEP, MODEL_STEP, toolCallOfStep, type RunEvent } from "./event.ts";

export interface Wait {
  readonly reason: string;
  /** Epoch ms: about when the run goes on. Null when that is not known. */
  readonly until: number | null;
}

export class RunWaits {
  /** The wait for the model's limits or for a budget, until the next model call. */
  #modelWait: Wait | null = null;
  // All are bounded by the tool calls of one answer of the model.
  readonly #working = new Set<string>();
  /** Calls under way that wait for delegated runs. */
  readonly #delegating = new Set<string>();
  /** By call: the last thing that it delegated. Kept when a process takes the run over, because it waits for the same. */
  readonly #delegated = new Map<string, Wait>();

  /** What the run waits for while it is parked; null while it works, waits in the queue, or is over. */
  get wait(): Wait | null {
    if (this.#modelWait) return this.#modelWait;
    const last = [...this.#delegating].at(-1);
    return last === undefined || this.#working.size > 0 ? null : (this.#delegated.get(last) ?? null);
  }

  see(event: RunEvent): void {
    switch (event.type) {
      case "CUSTOM":
        this.#custom(event.name, event.value);
        break;
      case "STEP_STARTED":
      case "STEP_FINISHED":
        this.#step(event.type, event.stepName);
        break;
      case "TOOL_CALL_RESULT":
        this.#end(event.toolCallId);
        break;
      case "RUN_FINISHED":
      case "RUN_ERROR":
        this.#clear();
        break;
      default:
        break;
    }
  }

  #custom(name: string, value: unknown): void {
    const fields = typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
    if (name === "evenkeel.waiting") this.#waiting(fields);
    // Another process goes on with the run, or the run is back in the queue.
    else if (name === "evenkeel.claimed" || (name === "evenkeel.attempt" && fields["of"] === "run")) this.#pause();
  }

  #waiting({ reason, until, tool_call_id: callId }: Readonly<Record<string, unknown>>): void {
    const wait = {
      reason: typeof reason === "string" ? reason : "",
      until: typeof until === "number" ? until : null,
    };
    if (typeof callId !== "string") {
      this.#modelWait = wait;
      return;
    }
    this.#delegated.set(callId, wait);
    this.#working.delete(callId);
    this.#delegating.add(callId);
  }

  #step(type: "STEP_STARTED" | "STEP_FINISHED", stepName: string): void {
    if (stepName === MODEL_STEP) {
      // The model's next answer means that all results exist.
      this.#clear();
      return;
    }
    if (stepName === COMPACT_STEP) this.#modelWait = null;
    const callId = toolCallOfStep(stepName);
    if (callId === undefined) return;
    if (type === "STEP_FINISHED") this.#end(callId);
    else if (this.#delegated.has(callId)) this.#delegating.add(callId);
    else this.#working.add(callId);
  }

  #end(callId: string): void {
    this.#working.delete(callId);
    this.#delegating.delete(callId);
  }

  #pause(): void {
    this.#modelWait = null;
    this.#working.clear();
    this.#delegating.clear();
  }

  #clear(): void {
    this.#pause();
    this.#delegated.clear();
  }
}
