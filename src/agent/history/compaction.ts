/**
 * What to leave out of a thread that has grown too long for its model: old tool results first, oldest first, then the
 * oldest turns, which a summary replaces. A place is a count of messages over the whole thread: it stays valid, because
 * messages are only ever added at the end. Pure; the thread that readers see loses nothing.
 */
import { textOf, toolUsesOf, type Compaction, type Message } from "../../core/message.ts";
import type { Turn } from "../../engine/engine.ts";
import { unsentTurn } from "../../engine/rules/unsent.ts";
import { storedBlocks } from "./assistant-blocks.ts";
import { MEDIA_CHARACTERS } from "./model-message.ts";

/** A stored message, its place, and about how many characters it costs. */
interface Placed {
  readonly message: Message;
  readonly place: number;
  readonly beginsTurn: boolean;
  readonly characters: number;
  /** Tokens of its tool results. */
  readonly clearable: number;
}

export interface Cut {
  readonly clearedBefore: number;
  readonly from: number;
}

/** The text that stands in place of a cleared result. */
const CLEARED_CHARACTERS = 60;

/**
 * The newest marker: it holds for everything that is rendered. The marker of a superseded turn does not count, because
 * its summary tells of what was taken back.
 */
export function compactionOf(turns: readonly Turn[]): Compaction | undefined {
  const messages = turns.filter(({ superseded }) => !superseded).flatMap((turn) => turn.messages);
  return messages.findLast(({ compaction }) => compaction)?.compaction;
}

/**
 * The smallest cut that brings the thread down to `characters`, or the largest that is possible. Undefined when nothing
 * can be left out.
 * @param now what is left out already
 */
export function planCut(
  turns: readonly Turn[],
  now: Cut,
  { characters, keepTurns }: { readonly characters: number; readonly keepTurns: number },
): Cut | undefined {
  const sent = placed(turns).filter(({ place }) => place >= now.from);
  const clearedBefore = clearUntil(sent, now.clearedBefore, characters);
  if (sizeOf(sent, clearedBefore) <= characters) return { from: now.from, clearedBefore };
  const from = cutsOf(sent, keepTurns).find((cut, index, cuts) => {
    const kept = sent.filter(({ place }) => place >= cut);
    return index === cuts.length - 1 || sizeOf(kept, clearedBefore) <= characters;
  });
  if (from !== undefined) return { from, clearedBefore };
  return clearedBefore > now.clearedBefore ? { from: now.from, clearedBefore } : undefined;
}

/** The user's message that a cut within the last turn leaves out: the summary has to quote it word by word. */
export function taskBehind(turns: readonly Turn[], from: number): string | undefined {
  const last = turns.at(-1);
  const begin = turns.slice(0, -1).reduce((sum, { messages }) => sum + messages.length, 0);
  const [task] = last?.messages ?? [];
  return task && from > begin ? textOf(task) : undefined;
}

/** Everything before `place`, turn by turn. */
export function before(turns: readonly Turn[], place: number): Turn[] {
  let left = place;
  return turns.flatMap((turn) => {
    const messages = turn.messages.slice(0, Math.max(0, left));
    left -= turn.messages.length;
    return messages.length > 0 ? [{ ...turn, messages }] : [];
  });
}

/** How many tool results the cut clears that were not cleared before. */
export function clearedBy(turns: readonly Turn[], now: Cut, next: Cut): number {
  const messages = turns.flatMap((turn) => turn.messages).slice(now.clearedBefore, next.clearedBefore);
  return messages.flatMap(({ content }) => storedBlocks(content)).filter(({ type }) => type === "tool_result").length;
}

/** Up to which place results are cleared. The newest ones stay, because the model has just asked for them. */
function clearUntil(sent: readonly Placed[], clearedBefore: number, characters: number): number {
  const withResults = sent.filter(({ clearable, place }) => clearable > 0 && place >= clearedBefore).slice(0, -1);
  let size = sizeOf(sent, clearedBefore);
  let until = clearedBefore;
  for (const { place, clearable } of withResults) {
    if (size <= characters) break;
    size -= clearable;
    until = place + 1;
  }
  return until;
}

/**
 * Places where the rest may begin: at a turn, with as many turns kept as possible, and within the last turn at an
 * answer.
 */
function cutsOf(sent: readonly Placed[], keepTurns: number): number[] {
  const begins = sent.filter(({ beginsTurn }) => beginsTurn);
  const ofTurns = begins.slice(Math.max(1, begins.length - keepTurns));
  const lastBegin = begins.at(-1)?.place ?? 0;
  const answers = sent.filter(({ message, place }) => place > lastBegin && toolUsesOf(message).length > 0);
  return [...ofTurns, ...answers.slice(1)].map(({ place }) => place);
}

function placed(turns: readonly Turn[]): Placed[] {
  let place = -1;
  return turns.flatMap((turn) =>
    turn.messages.flatMap((message, index) => {
      place += 1;
      if (unsentTurn(turn) || message.compaction) return [];
      const results = storedBlocks(message.content).filter(({ type }) => type === "tool_result");
      const clearable = results.reduce((sum, block) => sum + Math.max(0, charactersOf(block) - CLEARED_CHARACTERS), 0);
      return [{ message, place, beginsTurn: index === 0, characters: charactersOf(message.content), clearable }];
    }),
  );
}

function sizeOf(sent: readonly Placed[], clearedBefore: number): number {
  return sent.reduce(
    (sum, { place, characters, clearable }) => sum + characters - (place < clearedBefore ? clearable : 0),
    0,
  );
}

export function charactersOf(content: unknown): number {
  let characters = 0;
  JSON.stringify(content, (key, value: unknown) => {
    if (typeof value === "string") characters += value.length;
    if (key !== "source" || typeof value !== "object") return value;
    characters += MEDIA_CHARACTERS;
    return undefined;
  });
  return characters;
}
