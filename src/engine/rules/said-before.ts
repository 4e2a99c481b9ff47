/**
 * Which earlier conversation a new run brings into its thread. A client that began elsewhere sends that conversation with
 * each message, together with what was said here since. Called by the drivers in the transaction that stores the run;
 * pure.
 */
import type { Message } from "../../core/message.ts";
import { toMessage, turnOf, type JudgedRow, type TurnRow } from "./turns.ts";
import { questionAt, unsentTurn } from "./unsent.ts";

/** A turn of the thread that is not superseded. */
export interface EarlyRow extends JudgedRow {
  readonly n: number;
}

/** How many of the oldest turns are read. Behind more unsent turns the conversation may be stored a second time. */
export const EARLY_TURNS = 100;

/**
 * @param turns the oldest turns that are not superseded, the oldest first
 * @returns whose messages say what was said elsewhere: those of the client, or those of the run with this number. The
 * client's would also have the messages that are not sent to the model. Undefined: a turn that is sent has brought them
 */
export function sourceOfBefore(turns: readonly EarlyRow[]): "client" | number | undefined {
  const [first] = turns;
  if (!first) return "client";
  return turns.every((turn) => unsentTurn(turnOf(turn)) !== undefined) ? first.n : undefined;
}

/** @param rows the messages of a run. @returns those before its own question; they are stored without any mark */
export function beforeQuestion(rows: readonly Pick<TurnRow, "role" | "content" | "about">[]): Message[] {
  const messages = rows.map(toMessage);
  return messages.slice(0, Math.max(0, questionAt(messages)));
}
