/** The source that a text cites, for people. Pure. */

export interface ShownCitation {
  readonly title: string;
  readonly url?: string;
  readonly cited_text?: string;
}

/** URLs that a page may link to. */
const WEB = /^https?:\/\/\S{1,2000}$/;
const MAX_TITLE_CHARACTERS = 300;
const MAX_TEXT_CHARACTERS = 1_000;

/**
 * @param citation of the Messages API, of any kind: a page, a search result or a document that was sent
 * (https://docs.claude.com/en/docs/build-with-claude/citations)
 */
export function shownCitation(citation: object): ShownCitation {
  const { title, document_title: documentTitle, url, source, cited_text: text } = citation as Record<string, unknown>;
  const link = [url, source].find((value): value is string => typeof value === "string" && WEB.test(value));
  const named = [title, documentTitle, link, source].find((value) => typeof value === "string" && value !== "");
  return {
    title: (typeof named === "string" ? named : "A document").slice(0, MAX_TITLE_CHARACTERS).toWellFormed(),
    ...(link !== undefined && { url: link }),
    ...(typeof text === "string" && { cited_text: text.slice(0, MAX_TEXT_CHARACTERS).toWellFormed() }),
  };
}

/** Whether both name one source, which a reader wants to see once. */
export function isSameSource(a: ShownCitation, b: ShownCitation): boolean {
  return a.title === b.title && a.url === b.url;
}
