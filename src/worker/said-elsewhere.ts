/**
 * A conversation that a client kept elsewhere before its thread existed here: its earlier messages begin the thread.
 * Called for clients that send the whole conversation each time.
 */
import type { Message } from "../core/message.ts";

export interface SaidElsewhere {
  readonly role: string;
  readonly text: string;
}

/**
 * What a client calls a system message counts as words of the user: the agent's own system prompt belongs to the
 * operator, and must not be overridden.
 */
const ROLES: ReadonlyMap<string, Message["role"]> = new Map([
  ["user", "user"],
  ["assistant", "assistant"],
  ["system", "user"],
  ["developer", "user"],
]);

/** What the run of the newest message gets as `before`. The engine leaves it out where a thread has it already. */
export function saidBefore(earlier: readonly SaidElsewhere[]): Message[] {
  return earlier.flatMap(({ role, text }): Message[] => {
    const known = ROLES.get(role);
    return known && /\S/.test(text) ? [{ role: known, content: text }] : [];
  });
}
