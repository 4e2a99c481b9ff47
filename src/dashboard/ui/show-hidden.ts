/**
 * Characters that change the order of what stands around them, or end a line where none is seen: bidi controls and Unicode's
 * line separators. In code, links and titles they can make a text look like another, so they are shown as marks there.
 */
// oxlint-disable-next-line no-misleading-character-class -- these are what it is about
const HIDDEN = /[\u0085\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/g;

/** For display and for copying alike, so that what is copied is what was seen. */
export function showHidden(text: string): string {
  return text.replaceAll(
    HIDDEN,
    (character) => `[U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}]`,
  );
}
