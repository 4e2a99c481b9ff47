/**
 * Steps of many runs in one statement: their events, messages and tool calls, and the renewal of their leases. A step
 * whose fence is stale, or before which another step was written, writes nothing and takes no other step with it.
 * Called by `writer.ts` for whole groups, and by `owned.ts` for the step that costs money or ends a run.
 *
 * Each step raises `writes` of its run by one, also a step without events. So a step is written once, however often it
 * is sent: the second time its run has moved on.
 */
import { activityOf, withRun, type NewActivity } from "../../core/activity.ts";
import { journalRow, type JournalEvent, type RunEvent } from "../../core/event.ts";
import type { Step } from "../engine.ts";
import { finishesStep } from "../rules/blame.ts";
import { usageOf, type RunRow } from "../rules/rows.ts";
import { ledgerActivity, parkedActivity } from "../rules/told.ts";
import { LEASE_CLOCK } from "./clock.ts";
import { insertActivities, type ActivityInput } from "./activities.ts";
import type { Statement } from "./database.ts";

/** A run as `RUN` reads it. */
export interface HeldRow extends RunRow {
  readonly last_seq: number;
  /** How many steps its owners have committed. */
  readonly writes: number;
}

/** A step, ready to be written behind `run.last_seq`. */
export interface PreparedStep {
  readonly run: HeldRow;
  readonly step: Step;
  readonly events: readonly JournalEvent[];
  readonly activities: readonly ActivityInput[];
}

/** @returns the run as it is after the step */
export function afterStep({ run, step, events }: PreparedStep): HeldRow {
  const usage = step.usage ? JSON.stringify(step.usage) : run.usage;
  const last_seq = run.last_seq + events.length;
  const waiting = step.waiting === undefined ? run.waiting : waitingText(step);
  return { ...run, last_seq, writes: run.writes + 1, usage, steps: step.steps ?? run.steps, waiting };
}

function waitingText({ waiting }: Step): string | null {
  return waiting ? JSON.stringify(waiting) : null;
}

export function prepareStep(run: HeldRow, step: Step, at = Date.now()): PreparedStep {
  const usage = step.usage ?? usageOf(run);
  const told = [...step.events.flatMap((event) => activityOf(event) ?? []), ...parkedActivity(run.waiting, step)];
  const activities = told.map((activity) => withRun(activity, { ...run, usage }, at));
  const all = [...activities, ...(step.toolCalls ?? []).map(ledgerActivity)];
  return {
    run,
    step,
    events: journalRows(run.last_seq, step.events, at),
    activities: all.map((one) => about(run, one, at)),
  };
}

export function journalRows(lastSeq: number, events: readonly RunEvent[], at: number): JournalEvent[] {
  return events.map((event, index) => journalRow(event, lastSeq + 1 + index, at));
}

export function about(run: RunRow, { type, detail }: NewActivity, at: number): ActivityInput {
  const { agent_id, thread_id, id: run_id, principal, n } = run;
  return { run_n: n, at, type, agent_id, thread_id, run_id, principal, detail: JSON.stringify(detail) };
}

const OWNED =
  "WITH step AS MATERIALIZED (SELECT * FROM unnest($1::bigint[], $2::integer[], $3::integer[], $4::integer[], $5::text[], $6::integer[], $7::boolean[], $8::integer[], $9::text[]) " +
  "AS s (n, fence, last_seq, events, usage, steps, finishes, writes, waiting)), " +
  // Locks the runs in the order of their numbers: see sql.ts.
  "held AS MATERIALIZED (SELECT r.n FROM runs r JOIN step s ON r.n = s.n " +
  "WHERE r.status = 'running' AND r.fence = s.fence ORDER BY r.n FOR NO KEY UPDATE OF r), " +
  "owned AS (UPDATE runs r SET last_seq = r.last_seq + s.events, writes = r.writes + 1, " +
  `lease_until = ${LEASE_CLOCK} + r.lease_ms, usage = coalesce(s.usage, r.usage), steps = coalesce(s.steps, r.steps), ` +
  "waiting = nullif(coalesce(s.waiting, r.waiting), ''), " +
  "crashes = CASE WHEN s.finishes THEN 0 ELSE r.crashes END, losses = CASE WHEN s.finishes THEN 0 ELSE r.losses END " +
  "FROM step s JOIN held USING (n) WHERE r.n = s.n AND r.status = 'running' AND r.fence = s.fence AND r.last_seq = s.last_seq AND r.writes = s.writes " +
  "RETURNING r.n, r.cancel_requested), " +
  "new_events AS (INSERT INTO events (run_n, seq, type, data) SELECT e.* FROM " +
  "unnest($10::bigint[], $11::integer[], $12::text[], $13::text[]) AS e (n, seq, type, data) JOIN owned USING (n))";

const MORE =
  ", new_messages AS (INSERT INTO messages (run_n, idx, thread_id, role, content, about, at) " +
  "SELECT m.n, (SELECT coalesce(max(idx), -1) FROM messages WHERE run_n = m.n) + m.behind, m.thread_id, m.role, m.content, m.about, m.at FROM " +
  "unnest($14::bigint[], $15::integer[], $16::text[], $17::text[], $18::text[], $19::text[], $20::bigint[]) " +
  "AS m (n, behind, thread_id, role, content, about, at) JOIN owned USING (n)), " +
  "new_calls AS (INSERT INTO tool_calls (run_n, step, id, name, effects, fence, result) SELECT c.* FROM " +
  "unnest($21::bigint[], $22::integer[], $23::text[], $24::text[], $25::text[], $26::integer[], $27::text[]) " +
  "AS c (n, step, id, name, effects, fence, result) JOIN owned USING (n) ON CONFLICT (run_n, step, id) DO UPDATE " +
  "SET name = excluded.name, effects = excluded.effects, fence = excluded.fence, result = excluded.result), " +
  insertActivities(28, "JOIN owned ON owned.n = a.run_n");

const ANSWER = " SELECT n, cancel_requested FROM owned";

export interface OwnedAnswer {
  readonly n: number;
  readonly cancel_requested: 0 | 1;
}

/** Most groups are frames of text and send only events. At most one step of each run. */
export function stepsStatement(steps: readonly PreparedStep[]): Statement {
  const sorted = steps.toSorted((a, b) => a.run.n - b.run.n);
  const owned = [...ownedValues(sorted), ...eventValues(sorted)];
  const hasMore = sorted.some(({ step, activities }) => step.messages || step.toolCalls || activities.length > 0);
  if (!hasMore) return { text: OWNED + ANSWER, values: owned };
  const activities = activityValues(sorted.flatMap((step) => step.activities));
  return {
    text: OWNED + MORE + ANSWER,
    values: [...owned, ...messageValues(sorted), ...callValues(sorted), ...activities],
  };
}

/** Columns of rows, as `unnest` takes them. */
export function columns<T>(rows: readonly T[], pick: readonly ((row: T) => unknown)[]): unknown[][] {
  return pick.map((of) => rows.map(of));
}

function ownedValues(steps: readonly PreparedStep[]): unknown[][] {
  return columns(steps, [
    ({ run }) => run.n,
    ({ step }) => step.fence,
    ({ run }) => run.last_seq,
    ({ events }) => events.length,
    ({ step }) => (step.usage ? JSON.stringify(step.usage) : null),
    ({ step }) => step.steps ?? null,
    ({ step }) => finishesStep(step),
    ({ run }) => run.writes,
    // Empty: the run goes on. Null: it waits, or works, as before.
    ({ step }) => (step.waiting === undefined ? null : (waitingText(step) ?? "")),
  ]);
}

function eventValues(steps: readonly PreparedStep[]): unknown[][] {
  const rows = steps.flatMap(({ run, events }) => events.map((event) => ({ ...event, n: run.n })));
  return columns(rows, [({ n }) => n, ({ seq }) => seq, ({ type }) => type, ({ data }) => data]);
}

function messageValues(steps: readonly PreparedStep[]): unknown[][] {
  return messageColumns(
    steps.flatMap(({ run, step }) =>
      (step.messages ?? []).map((message, index) => ({ run, message, behind: index + 1 })),
    ),
  );
}

type MessageInput = {
  readonly run: Pick<RunRow, "n" | "thread_id">;
  readonly message: NonNullable<Step["messages"]>[number];
  /** The distance from the run's last message. */
  readonly behind: number;
};

function messageColumns(rows: readonly MessageInput[]): unknown[][] {
  const at = Date.now();
  return columns(rows, [
    ({ run }) => run.n,
    ({ behind }) => behind,
    ({ run }) => run.thread_id,
    ({ message }) => message.role,
    ({ message }) => JSON.stringify(message.content),
    ({ message: { role: _role, content: _content, ...more } }) =>
      Object.keys(more).length > 0 ? JSON.stringify(more) : null,
    () => at,
  ]);
}

const INSERT_MESSAGES =
  "INSERT INTO messages (run_n, idx, thread_id, role, content, about, at) " +
  "SELECT m.n, (SELECT coalesce(max(idx), -1) FROM messages WHERE run_n = m.n) + m.behind, m.thread_id, m.role, m.content, m.about, m.at FROM " +
  "unnest($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[]) AS m (n, behind, thread_id, role, content, about, at)";

/** Messages of a run that has no owner yet. */
export function messagesStatement(run: MessageInput["run"], messages: NonNullable<Step["messages"]>): Statement {
  const rows = messages.map((message, index) => ({ run, message, behind: index + 1 }));
  return { text: INSERT_MESSAGES, values: messageColumns(rows) };
}

function callValues(steps: readonly PreparedStep[]): unknown[][] {
  const rows = steps.flatMap(({ run, step }) => newest(step).map((call) => ({ n: run.n, fence: step.fence, call })));
  return columns(rows, [
    ({ n }) => n,
    ({ call }) => call.stepsBefore,
    ({ call }) => call.toolCallId,
    ({ call }) => call.name,
    ({ call }) => call.effects,
    ({ call, fence }) => (call.contained ? null : fence),
    ({ call }) => call.result && JSON.stringify(call.result),
  ]);
}

/** One statement cannot write a row twice: when a call comes twice, the last one counts. */
function newest({ toolCalls = [] }: Step) {
  return [...new Map(toolCalls.map((call) => [JSON.stringify([call.stepsBefore, call.toolCallId]), call])).values()];
}

export function activityValues(activities: readonly ActivityInput[]): unknown[][] {
  return columns(activities, [
    ({ run_n }) => run_n,
    ({ at }) => at,
    ({ type }) => type,
    ({ agent_id }) => agent_id,
    ({ thread_id }) => thread_id,
    ({ run_id }) => run_id,
    ({ principal }) => principal,
    ({ detail }) => detail,
  ]);
}
