/** How long things are kept. What has no limit is kept for good. */
export interface Retention {
  /** From the end of a run until its deltas are joined (`rules/joined.ts`). */
  readonly deltasMs?: number | undefined;
  /** From the last change of a thread until it is removed with all that it delegated. */
  readonly threadsMs?: number | undefined;
  /** Age of activities, notices included. */
  readonly activitiesMs?: number | undefined;
  /** From the end of a run until its Idempotency-Key may be used for another. */
  readonly keysMs?: number | undefined;
}
