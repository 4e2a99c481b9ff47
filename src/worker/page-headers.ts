/** Headers of pages that we serve: only what is ours runs, and no page of others may frame us or keep our window. */

/** @param sources directives of the content security policy beside those that allow nothing */
export function pageHeaders(sources: readonly string[]): Readonly<Record<string, string>> {
  return {
    "Content-Security-Policy": [
      "default-src 'none'",
      ...sources,
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join("; "),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
  };
}
