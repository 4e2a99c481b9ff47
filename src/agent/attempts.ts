/**
 * The attempts at the model calls of one run: each has a reader of its own, each is paid for, and of the last one the
 * run may keep what was said when it breaks off. Made by the loop, begun by `model.ts`.
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
  // Undefined while no answer is read that could still be kept.
  #reader: AnswerReader | undefined;

  constructor(journal: AttemptJournal, stepName: string) {
    this.#journal = journal;
    this.#stepName = stepName;
  }

  /** An attempt reaches the model. */
  begin(): AnswerReader {
    this.end();
    this.#journal.emit({ type: "STEP_STARTED", stepName: this.#stepName });
    this.#reader = new AnswerReader(this.#journal);
    return this.#reader;
  }

  /** The attempt before came to nothing: what it said is void, and paid. */
  retry(attempt: Omit<CustomValues["evenkeel.attempt"], "void" | "of">): void {
    this.end();
    this.#journal.retry(attempt);
  }

  /** The next attempt has to wait for long, until about then (epoch ms). */
  wait(wait: { readonly reason: string; readonly until: number }): void {
    this.#journal.emit(customEvent("evenkeel.waiting", wait));
  }

  /** The answer is in the thread, or void. */
  end(): void {
    this.#spent = this.usage;
    this.#reader = undefined;
  }

  /** Usage of all attempts, also of those that failed. */
  get usage(): Usage {
    return this.#reader ? addUsage(this.#spent, this.#reader.usage) : this.#spent;
  }

  /** The text of an answer that was not kept. */
  get said(): ContentBlock[] {
    return this.#reader?.said ?? [];
  }
}
