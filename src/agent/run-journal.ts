/**
 * One run's journal, as its owner writes it. All events of the loop go through here. Text deltas are joined into frames
 * (the first delta goes at once, then a frame every 20 ms); a checkpoint commits a whole step together with the events
 * that are still pending, all or nothing. One append is under way at a time, so the order of calls is the order of the
 * journal.
 */
import { customEvent, OpenItems, type CustomValues, type RunEvent } from "../core/event.ts";
import { RunWaits, type Wait } from "../core/run-waits.ts";
import type { Outcome } from "../core/run.ts";
import type { Bill, Engine, Step } from "../engine/engine.ts";
import { isStorageTrouble, outlastTrouble } from "./retry-storage.ts";

/** A run appends at most 1000 / FLUSH_MS rows of text a second, however fast its model is. */
const FLUSH_MS = 20;

type TextType = "TEXT_MESSAGE_CONTENT" | "REASONING_MESSAGE_CONTENT";
/** What every write has: the pending events, and what the run waits for if that has changed. */
type Part = Pick<Step, "events" | "waiting">;
type Checkpoint = Pick<Step, "messages" | "toolCalls" | "usage" | "steps">;

export interface RunJournalOptions {
  readonly engine: Engine;
  readonly runId: string;
  readonly fence: number;
  /** The bill to which the run's usage is booked. */
  readonly bill?: Bill | undefined;
  /** Aborting it ends the waiting for a full disk. */
  readonly signal: AbortSignal;
  /** The answer to a write said that the run is to be canceled. */
  readonly onCanceled: () => void;
  /** The run is stored as parked (true), or as not parked any more. */
  readonly onParked?: (isParked: boolean) => void;
  /** The run has another owner, or cannot be written: stop working on it. */
  readonly onLost: (error: unknown) => void;
}

/** What the journal is doing with its pending events. */
type State =
  | { readonly is: "idle" }
  /** Pending events wait for their frame to fill. */
  | { readonly is: "scheduled"; readonly timer: NodeJS.Timeout }
  /** Appends run one after the other; `done` resolves after the last append, also if it failed. */
  | { readonly is: "writing"; readonly done: Promise<void> };

const IDLE: State = { is: "idle" };

export class RunJournal {
  readonly #options: RunJournalOptions;
  readonly #open = new OpenItems();
  readonly #waits = new RunWaits();
  /** As it is stored with the run: the claim stored null. */
  #storedWait: Wait | null = null;
  // Bounded by what a model sends during one append; deltas are joined.
  #pending: RunEvent[] = [];
  /** Events whose write failed. The next write has them first: an end must not come before its start. */
  #unwritten: readonly RunEvent[] = [];
  #state: State = IDLE;
  // The first words of a message are pending: they are written without waiting for a frame.
  #urgent = false;
  #lastTextId: string | undefined;
  #flushedAt = 0;
  #bill: Bill | undefined;

  constructor(options: RunJournalOptions) {
    this.#options = options;
    this.#bill = options.bill;
  }

  emit(event: RunEvent): void {
    this.#add(event);
    this.#flushSoon();
  }

  /** Whether something is open that this event would close. */
  isOpen(closer: RunEvent): boolean {
    return this.#open.has(closer);
  }

  /** Books all tokens from now on to this bill. */
  billTo(bill: Bill | undefined): void {
    this.#bill = bill;
  }

  /** Adds more text to an open message. */
  text(type: TextType, messageId: string, delta: string): void {
    // AG-UI forbids empty deltas.
    if (delta === "") return;
    const last = this.#pending.at(-1);
    if (last?.type === type && last.messageId === messageId) {
      this.#pending[this.#pending.length - 1] = { type, messageId, delta: last.delta + delta };
    } else {
      this.#pending.push({ type, messageId, delta });
    }
    // A reader waits for the first words of a message: write them without waiting for a frame.
    if (messageId !== this.#lastTextId) this.#urgent = true;
    this.#lastTextId = messageId;
    this.#flushSoon();
  }

  /** Adds more of a tool call's arguments. */
  args(toolCallId: string, delta: string): void {
    if (delta === "") return;
    const last = this.#pending.at(-1);
    if (last?.type === "TOOL_CALL_ARGS" && last.toolCallId === toolCallId) {
      this.#pending[this.#pending.length - 1] = { ...last, delta: last.delta + delta };
    } else {
      this.#pending.push({ type: "TOOL_CALL_ARGS", toolCallId, delta });
    }
    this.#flushSoon();
  }

  /** Another attempt at the model call begins: what the last attempt showed is closed, and void. */
  retry(attempt: Omit<CustomValues["evenkeel.attempt"], "void" | "of">): void {
    const { events, voided } = this.#open.close();
    this.#pending.push(...events, customEvent("evenkeel.attempt", { of: "model_call", ...attempt, void: voided }));
    this.#flushSoon();
  }

  /** Commits a step together with its last events, all or nothing. */
  checkpoint(step: Checkpoint, events: readonly RunEvent[] = []): Promise<void> {
    for (const event of events) this.#add(event);
    return this.#commitStep((part) => this.#append({ ...this.#ref, ...part, ...this.#billed(step) }));
  }

  /** Closes what is open and ends the run. Nothing is written afterwards. */
  settle(step: Checkpoint, outcome: Outcome): Promise<void> {
    this.#pending.push(...this.#open.close().events);
    return this.#commitStep((part) =>
      this.#options.engine.settle({ ...this.#ref, ...part, ...this.#billed(step) }, outcome),
    );
  }

  /** Writes nothing from now on. Events that are not committed are dropped, as if the process had died. */
  stop(): void {
    this.#pending = [];
    this.#unwritten = [];
    if (this.#state.is !== "scheduled") return;
    clearTimeout(this.#state.timer);
    this.#state = IDLE;
  }

  #billed(step: Checkpoint): Checkpoint & Pick<Step, "bill"> {
    return step.usage && this.#bill ? { ...step, bill: this.#bill } : step;
  }

  #add(event: RunEvent): void {
    this.#open.see(event);
    this.#waits.see(event);
    this.#pending.push(event);
  }

  get #ref() {
    return { runId: this.#options.runId, fence: this.#options.fence };
  }

  #flushSoon(): void {
    switch (this.#state.is) {
      case "writing":
        // The end of the write under way calls this method again.
        return;
      case "scheduled":
        if (this.#urgent) this.#flush();
        return;
      case "idle": {
        const waitMs = this.#urgent ? 0 : this.#flushedAt + FLUSH_MS - performance.now();
        if (waitMs <= 0) this.#flush();
        else this.#state = { is: "scheduled", timer: setTimeout(() => this.#flush(), waitMs) };
      }
    }
  }

  #flush(): void {
    // A failure reaches the loop through `onLost`, so nobody awaits a frame of text.
    const write = (part: Part) => this.#append({ ...this.#ref, ...part });
    this.#commit(async () => {
      const events = this.#take();
      // A checkpoint may have taken them.
      if (events.length > 0) await this.#write(events, write);
    }).catch(() => {});
  }

  /**
   * Takes the events of the step now: a write that is queued before must not carry them without the step. A process that
   * died between the two writes would leave a result in the journal that the ledger does not know.
   */
  #commitStep(write: (part: Part) => Promise<void>): Promise<void> {
    const events = this.#take();
    return this.#commit(() => this.#write(events, write));
  }

  #take(): readonly RunEvent[] {
    const events = this.#pending;
    this.#pending = [];
    this.#urgent = false;
    return events;
  }

  async #append(step: Step): Promise<void> {
    const { cancelRequested } = await this.#options.engine.append(step);
    if (cancelRequested) this.#options.onCanceled();
  }

  /** Writes after the earlier writes are done. */
  #commit(write: () => Promise<void>): Promise<void> {
    const before = this.#state;
    if (before.is === "scheduled") clearTimeout(before.timer);
    const written = (before.is === "writing" ? before.done : Promise.resolve()).then(write);
    const done = written.then(
      () => {},
      () => {},
    );
    const writing: State = { is: "writing", done };
    this.#state = writing;
    void done.then(() => {
      if (this.#state !== writing) return;
      this.#state = IDLE;
      if (this.#pending.length > 0) this.#flushSoon();
    });
    return written;
  }

  async #write(more: readonly RunEvent[], write: (part: Part) => Promise<void>): Promise<void> {
    const events = [...this.#unwritten, ...more];
    this.#unwritten = [];
    this.#flushedAt = performance.now();
    const { wait } = this.#waits;
    const isNew = wait?.reason !== this.#storedWait?.reason || wait?.until !== this.#storedWait?.until;
    try {
      await this.#persist(() => write({ events, ...(isNew && { waiting: wait }) }));
      this.#storedWait = wait;
      if (isNew) this.#options.onParked?.(wait !== null);
    } catch (error) {
      if (isStorageTrouble(error)) this.#unwritten = events;
      throw error;
    }
  }

  /** The lease decides how long it makes sense to wait for the disk. */
  async #persist(write: () => Promise<void>): Promise<void> {
    const { signal, onLost } = this.#options;
    try {
      await outlastTrouble(write, signal);
    } catch (error) {
      onLost(error);
      throw error;
    }
  }
}
