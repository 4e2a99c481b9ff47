/** Headers of every answer that is not a file of the page. */

/**
 * API answers are somebody's data: caches must not keep them, browsers must not guess their type, and pages of other
 * origins must not embed them.
 */
export const ANSWER_HEADERS = {
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff",
  "Cross-Origin-Resource-Policy": "same-origin",
} as const;
