/**
 * The attempts at the model calls of one run. Each attempt has a reader of its own, and each is paid for. When the run
 * breaks off, it may keep the text of the last attempt. Made by the loop, begun by `model.ts`.
 */
import { customEvent, type CustomValues } from "../core/event.ts";
import type { ContentBlock } from "../core/message.ts";
import { addUsage, NO_USAGE, type Usage } from "../core/run.ts";
import type { AnswerJournal } from "./answer-blocks.ts";
import { AnswerReader } from "./answer.ts";

export interface AttemptJournal extends AnswerJournal {
  retry(attempt: Omit<CustomValues["evenkeel.attempt"], "void" | "of">): void;
}

export class Attempts {
  readonly #journal: AttemptJournal;
  readonly #stepName: string;
  #spent: Usage = NO_USAGE;
  // Undefined while there is no answer that could still be kept.
  #reader: AnswerReader | undefined;

  constructor(journal: AttemptJournal, stepName: string) {
    this.#journal = journal;
    this.#stepName = stepName;
  }

  /** Begins an attempt: its request reaches the model. */
  begin(): AnswerReader {
    this.end();
    this.#journal.emit({ type: "STEP_STARTED", stepName: this.#stepName });
    this.#reader = new AnswerReader(this.#journal);
    return this.#reader;
  }

  /** The attempt before failed: its text is void, but it is paid for. */
  retry(attempt: Omit<CustomValues["evenkeel.attempt"], "void" | "of">): void {
    this.end();
    this.#journal.retry(attempt);
  }

  /** The next attempt has to wait for long, until about `until` (epoch ms). */
  wait(wait: { readonly reason: string; readonly until: number }): void {
    this.#journal.emit(customEvent("evenkeel.waiting", wait));
  }

  /** Ends the attempt: its answer is in the thread, or void. */
  end(): void {
    this.#spent = this.usage;
    this.#reader = undefined;
  }

  /** Usage of all attempts, also of those that failed. */
  get usage(): Usage {
    return this.#reader ? addUsage(this.#spent, this.#reader.usage) : this.#spent;
  }

  /** The text of an answer that was not kept so far. */
  get said(): ContentBlock[] {
    return this.#reader?.said ?? [];
  }
}
