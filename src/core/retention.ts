/** How long things are kept. Things without a limit are kept for ever. */
export interface Retention {
  /** Time from the end of a run until its deltas are joined (`rules/joined.ts`). */
  readonly deltasMs?: number | undefined;
  /** Time from the last change of a thread until it is removed with all that it delegated. */
  readonly threadsMs?: number | undefined;
  /** Time for which a file is kept that no stored run uses: from when it was saved, or from the end of its last use. */
  readonly filesMs?: number | undefined;
  /** Age at which activities are removed, notices included. */
  readonly activitiesMs?: number | undefined;
  /** Time from the end of a run until another run may use its Idempotency-Key. */
  readonly keysMs?: number | undefined;
}

/** What RETAIN_* mean when they are unset, for the server and for `evenkeel prune`. */
export const DEFAULT_AGES = {
  deltas: "1h",
  threads: "forever",
  files: "forever",
  activities: "30d",
  keys: "24h",
} as const;
