/**
 * A run's stream that also contains the runs that it delegated: AG-UI's SUBAGENT events, and between them the
 * subagents' events, marked with `subagentRunId`. Each run has a viewer on its own feed; this file only
 * orders their writes into one stream. A subagent is shown from its delegation on, and its end comes before
 * the result of its call. Made by `with-subagents.ts`.
 *
 * Only the run's own events have an SSE id. A client that resumes gets the events of running subagents again
 * from their SUBAGENT_STARTED on, with the same `seq`s: the pair of `subagentRunId` and `seq` identifies an
 * event. The `seq` is 0 where a run can no longer be shown.
 */
import { AppError } from "../core/errors.ts";
import { isTerminal, type CustomValues } from "../core/event.ts";
import type { Run } from "../core/run.ts";
import type { StoredEvent } from "../protocols/encoder.ts";
import type { RunKey } from "./feeds.ts";
import type { Frame } from "./frame.ts";
import { readAgain } from "./read-again.ts";
import type { OpenSink, Sink, Viewer, Watch } from "./viewer.ts";

export interface FamilyOptions {
  readonly sink: OpenSink;
  readonly run: (runId: string) => Promise<Run | undefined>;
  /** Reports why a delegated run can no longer be shown. @returns the error as clients may read it */
  readonly report: (error: unknown, runId: string) => AppError;
  /** Begins to view a run's feed. */
  readonly watch: (run: RunKey, watch: Omit<Watch, "feed">) => Viewer;
}

export class Family {
  readonly #options: FamilyOptions;
  // Bounded by MAX_DELEGATED_RUNS.
  readonly #viewers = new Set<Viewer>();
  readonly #stopped = new AbortController();

  constructor(options: FamilyOptions) {
    this.#options = options;
  }

  /**
   * @param before the run's events up to and including `after`, from which the stream learns what the run had
   * delegated
   */
  view(run: RunKey, { after, before, onEnd }: Omit<Watch, "feed" | "sink"> & { before: readonly string[] }): void {
    const branch = new Branch(this, this.#options.sink, undefined);
    branch.resume(before.map((json) => JSON.parse(json) as StoredEvent));
    const endAll = (error?: unknown) => {
      // Runs that are still shown would go on in a stream that is over.
      this.stop();
      onEnd(error);
    };
    this.#watch(run, { after, sink: branch, onEnd: endAll });
  }

  /** Shows a delegated run until its end, and then calls `onOver`. Never rejects. */
  async branch(runId: string, about: Delegation, onOver: () => void): Promise<void> {
    const sink = new Branch(this, this.#options.sink, { ...about, runId });
    const onEnd = (error?: unknown) => {
      if (!error) return onOver();
      const known = this.#options.report(error, runId);
      sink.whenAlone(() => {
        sink.fail(known);
        onOver();
      });
    };
    try {
      const run = await this.#find(runId);
      if (!this.#stopped.signal.aborted) this.#watch(run, { after: 0, sink, onEnd });
    } catch (error) {
      if (!this.#stopped.signal.aborted) onEnd(error);
    }
  }

  stop(): void {
    this.#stopped.abort();
    for (const viewer of this.#viewers) viewer.stop();
  }

  async #find(runId: string): Promise<Run> {
    const run = await readAgain(() => this.#options.run(runId), this.#stopped.signal);
    if (run) return run;
    throw new AppError("RUN_NOT_FOUND", `Run ${runId} was deleted.`, { runId });
  }

  #watch(run: RunKey, watch: Omit<Watch, "feed" | "sink"> & { readonly sink: Branch }): void {
    const viewer = this.#options.watch(run, {
      ...watch,
      onEnd: (error) => {
        this.#viewers.delete(viewer);
        if (error) watch.onEnd(error);
        else watch.sink.whenTold(() => watch.onEnd());
      },
    });
    this.#viewers.add(viewer);
  }
}

/** The run and the call that delegated a subagent, and to which agent. */
interface Delegation {
  readonly agentId: string;
  readonly parentToolCallId: string;
  readonly parentSubagentRunId?: string;
}

interface Subagent extends Delegation {
  readonly runId: string;
}

/**
 * The sink of one run. It holds back a call's result, and the run's end, while the runs that were delegated
 * for it are still shown.
 */
class Branch implements Sink {
  readonly #family: Family;
  readonly #out: OpenSink;
  readonly #self: Subagent | undefined;
  /** Delegated runs that are still shown, by the call that waits for them. */
  readonly #open = new Map<string, Set<string>>();
  readonly #told = new Set<string>();
  #hasBegun = false;
  // The rest of a write whose beginning was sent before an event had to be held back. Bounded by one write of
  // the viewer.
  #held: Frame[] = [];
  /** Lets the viewer go on, or sends the end. The viewer then reads `full` again. */
  #resume: (() => void) | undefined;
  #onAlone: (() => void) | undefined;

  constructor(family: Family, out: OpenSink, self: Subagent | undefined) {
    this.#family = family;
    this.#out = out;
    this.#self = self;
  }

  get full(): boolean {
    return this.#held.length > 0 || this.#out.full;
  }

  /** Tells that the subagent can no longer be shown. */
  fail({ code, message }: AppError): void {
    if (!this.#self) return;
    const { runId: subagentRunId, agentId: name, ...parents } = this.#self;
    // A journal begins at 1, and has neither of these events.
    const position = { seq: 0, timestamp: Date.now() };
    // AG-UI's verifier refuses the end of what did not begin.
    if (!this.#hasBegun) this.#out.tell({ ...position, type: "SUBAGENT_STARTED", subagentRunId, name, ...parents });
    this.#out.tell({ ...position, type: "SUBAGENT_ERROR", subagentRunId, code, message });
  }

  /** The client has these events already. Runs that were delegated and have no result yet are shown again. */
  resume(events: readonly StoredEvent[]): void {
    const pending = new Map<string, Delegated>();
    for (const event of events) {
      const delegated = delegatedBy(event);
      if (delegated) pending.set(delegated.runId, delegated);
      if (event.type !== "TOOL_CALL_RESULT") continue;
      for (const [runId, { toolCallId }] of pending) if (toolCallId === event.toolCallId) pending.delete(runId);
    }
    for (const delegated of pending.values()) this.#begin(delegated);
  }

  write(frames: readonly Frame[]): void {
    for (const [index, frame] of frames.entries()) {
      const event = JSON.parse(frame.json) as StoredEvent;
      if (this.#waitsFor(event)) {
        this.#held = frames.slice(index);
        return;
      }
      this.#tell(frame, event);
      const delegated = delegatedBy(event);
      if (delegated) this.#begin(delegated);
    }
  }

  /** Calls back when this sink holds nothing back any more. */
  whenTold(then: () => void): void {
    if (this.#held.length === 0) then();
    else this.#resume = then;
  }

  /** Calls back when no delegated run is shown any more: none may begin or go on under one that has ended. */
  whenAlone(then: () => void): void {
    if (this.#isAlone) then();
    else this.#onAlone = then;
  }

  get #isAlone(): boolean {
    return ![...this.#open.values()].some(({ size }) => size > 0);
  }

  gap(after: number, next: number): void {
    if (!this.#self) this.#out.gap(after, next);
  }

  onDrain(resume: () => void): void {
    if (this.#held.length > 0) this.#resume = resume;
    else this.#out.onDrain(resume);
  }

  #begin({ runId, toolCallId, agentId }: Delegated): void {
    if (this.#told.has(runId)) return;
    this.#told.add(runId);
    const calls = this.#open.get(toolCallId) ?? new Set();
    this.#open.set(toolCallId, calls.add(runId));
    const about = {
      agentId,
      parentToolCallId: toolCallId,
      ...(this.#self && { parentSubagentRunId: this.#self.runId }),
    };
    void this.#family.branch(runId, about, () => {
      calls.delete(runId);
      this.#release();
      if (this.#isAlone) this.#onAlone?.();
    });
  }

  #waitsFor(event: StoredEvent): boolean {
    if (event.type === "TOOL_CALL_RESULT") return (this.#open.get(event.toolCallId)?.size ?? 0) > 0;
    return isTerminal(event.type) && !this.#isAlone;
  }

  #release(): void {
    const held = this.#held;
    this.#held = [];
    this.write(held);
    if (this.#held.length > 0 || !this.#resume) return;
    const resume = this.#resume;
    this.#resume = undefined;
    resume();
  }

  #tell(frame: Frame, event: StoredEvent): void {
    if (!this.#self) this.#out.write([frame]);
    else {
      const told = asSubagent(event, this.#self);
      this.#hasBegun ||= told !== undefined;
      if (told) this.#out.tell(told);
    }
  }
}

interface Delegated {
  readonly runId: string;
  readonly agentId: string;
  readonly toolCallId: string;
}

/** The run that this event says was delegated. */
export function delegatedBy(event: StoredEvent): Delegated | undefined {
  if (event.type !== "CUSTOM" || event.name !== "evenkeel.waiting") return undefined;
  const value = event.value as CustomValues["evenkeel.waiting"];
  return "run_id" in value
    ? { runId: value.run_id, toolCallId: value.tool_call_id, agentId: value.agent_id }
    : undefined;
}

/**
 * Undefined for a subagent's events that are not shown: its steps, and our own events except those that make
 * messages void.
 */
function asSubagent(event: StoredEvent, { runId, agentId, ...about }: Subagent): object | undefined {
  const { seq, timestamp } = event;
  const subagentRunId = runId;
  switch (event.type) {
    case "RUN_STARTED":
      return { seq, timestamp, type: "SUBAGENT_STARTED", subagentRunId, name: agentId, ...about };
    case "RUN_FINISHED": {
      const { outcome, result } = event;
      if (outcome?.type === "cancelled")
        return { seq, timestamp, type: "SUBAGENT_ERROR", subagentRunId, code: "CANCELED", message: "It was canceled." };
      return { seq, timestamp, type: "SUBAGENT_FINISHED", subagentRunId, outcome: { type: "success" }, result };
    }
    case "RUN_ERROR":
      return { seq, timestamp, type: "SUBAGENT_ERROR", subagentRunId, code: event.code, message: event.message };
    case "STEP_STARTED":
    case "STEP_FINISHED":
      return undefined;
    case "CUSTOM":
      return event.name === "evenkeel.attempt" ? { ...event, subagentRunId } : undefined;
    default:
      return { ...event, subagentRunId };
  }
}
