/**
 * The rules that always hold, applied to the events that clients saw and to the journals; the server's own view does
 * not count. Pure. A broken rule gives a line that names the run.
 */
import { problemsOf, textIn, type ReadEvent } from "../src/testing/journal.ts";

/** What one client saw of a run: every event as JSON, in the order in which it came, over all its connections. */
export interface Viewing {
  readonly viewer: string;
  readonly seen: readonly string[];
}

/** A run that the server has acknowledged, as its client knows it. */
export interface Story {
  readonly runId: string;
  readonly message: string;
  /** A culprit's own tool kills or blocks its process: the run may fail, and nothing else may. */
  readonly isCulprit: boolean;
  /** The client canceled the run. */
  readonly isCanceled: boolean;
  /** Without tools the reply is the whole text. */
  readonly isPlain: boolean;
  readonly viewings: readonly Viewing[];
}

/** The run and its journal when all is quiet; undefined when the run cannot be found. */
export interface Truth {
  readonly status: string;
  readonly errorCode: string | null;
  readonly reply: string | null;
  readonly events: readonly ReadEvent[];
}

/** @param trace a line for each start of a tool: its effects, and the key of the call */
export function brokenRules(
  stories: readonly Story[],
  truths: ReadonlyMap<string, Truth>,
  trace: readonly string[],
): string[] {
  return [
    ...vacuous(stories, truths, trace),
    ...stories.flatMap((story) => brokenBy(story, truths.get(story.runId))),
    ...twice(trace),
  ];
}

/** A rule that nothing was held against is never broken. */
function vacuous(stories: readonly Story[], truths: ReadonlyMap<string, Truth>, trace: readonly string[]): string[] {
  if (stories.length === 0) return ["no run was acknowledged, so no rule was checked"];
  const usedTools = stories.some(
    ({ runId, isPlain, isCulprit }) => !isPlain && !isCulprit && truths.get(runId)?.status === "completed",
  );
  return usedTools && trace.length === 0 ? ["runs with tools were completed, but no tool left a trace"] : [];
}

function brokenBy(story: Story, truth: Truth | undefined): string[] {
  const say = (what: string) => `${story.runId} ${what} (${story.message.slice(0, 100)})`;
  if (!truth) return [say("was acknowledged and is not there")];
  return [
    ...problemsOf(truth.events).map((problem) => say(`has a journal with a flaw: ${problem}`)),
    ...brokenEnd(story, truth).map(say),
    ...story.viewings.flatMap((viewing) => brokenView(viewing, truth.events)).map(say),
  ];
}

function brokenEnd({ isCulprit, isCanceled, isPlain }: Story, { status, errorCode, reply, events }: Truth): string[] {
  if (status !== "completed" && status !== "failed" && status !== "canceled") return [`is still ${status}`];
  if (status === "failed" && !isCulprit) return [`is innocent and failed with ${errorCode}`];
  if (status === "canceled" && !isCanceled) return ["was canceled by nobody"];
  if (isPlain && status === "completed" && reply !== textIn(events))
    return ["has a reply that is not what was streamed"];
  return [];
}

function brokenView({ viewer, seen }: Viewing, events: readonly ReadEvent[]): string[] {
  const journal = events.map((event) => JSON.stringify(event));
  const differs = journal.findIndex((line, index) => seen[index] !== line);
  if (differs >= 0) {
    const what = seen[differs] ?? "nothing";
    return [
      `was seen by ${viewer} in another way than its journal has it: event ${differs + 1} as ${what.slice(0, 160)}`,
    ];
  }
  return seen.length > journal.length ? [`was seen by ${viewer} beyond its end`] : [];
}

function twice(trace: readonly string[]): string[] {
  const unsafe = trace.filter((line) => line.startsWith("unsafe "));
  const repeated = unsafe.filter((line, index) => unsafe.indexOf(line) !== index);
  return [...new Set(repeated)].map((line) => `an unsafe tool ran more than once: ${line}`);
}
