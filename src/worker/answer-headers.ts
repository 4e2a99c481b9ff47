/** Headers of every answer that is not a file of the page. */

/** API answers are somebody's data: not kept by caches, not guessed at, not embedded by pages of other origins. */
export const ANSWER_HEADERS = {
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff",
  "Cross-Origin-Resource-Policy": "same-origin",
} as const;
