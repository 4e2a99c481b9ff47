/**
 * What goes to the model: messages made of blocks only, never a bare string, so that adding a block changes no earlier
 * bytes.
 */

export interface ModelBlock {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface ModelMessage {
  readonly role: "user" | "assistant";
  readonly content: readonly ModelBlock[];
}

/** The model and agent for which a thread is rendered. */
export interface Audience {
  readonly model: string;
  /** False: the API would refuse tool blocks, so they become text. */
  readonly hasTools: boolean;
  /** The limit for the results of all calls of one answer together. */
  readonly maxResultCharacters: number;
}

export function textBlock(text: string): ModelBlock {
  return { type: "text", text };
}

/** A picture costs about as much as this many characters, whatever its size in bytes. */
export const MEDIA_CHARACTERS = 5_600;
