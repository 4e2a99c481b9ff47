/**
 * A conversation that a client kept elsewhere before its thread existed here: its earlier messages begin the thread.
 * Called for clients that send the whole conversation each time.
 */
import type { Message } from "../core/message.ts";
import type { OwnEngine } from "./own-engine.ts";

export interface SaidElsewhere {
  readonly role: string;
  readonly text: string;
}

/**
 * What a client calls a system message counts as words of the user: the agent's own system prompt belongs to the
 * operator, and must not be overridden.
 */
const ROLES: Readonly<Record<string, Message["role"]>> = {
  user: "user",
  assistant: "assistant",
  system: "user",
  developer: "user",
};

/** @returns no messages for a thread that has runs here */
export async function saidBefore(
  threadId: string,
  earlier: readonly SaidElsewhere[],
  engine: OwnEngine,
): Promise<Message[]> {
  const messages = earlier.flatMap(({ role, text }): Message[] => {
    const known = ROLES[role];
    return known && /\S/.test(text) ? [{ role: known, content: text }] : [];
  });
  if (messages.length === 0) return [];
  const known = await engine.runs({ threadId, limit: 1 });
  return known.items.length > 0 ? [] : messages;
}
