/**
 * Headers of the pages that we serve: only our own code runs, and no other page may frame ours or keep a handle on its
 * window.
 */

/** @param sources directives of the content security policy, beside those that allow nothing */
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
