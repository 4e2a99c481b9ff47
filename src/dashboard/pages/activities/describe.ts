/** An activity in a few words, and its color. */
import type { Activity } from "../../../core/activity.ts";
import { count, duration } from "../../ui/format.ts";
import { CustomValue } from "../../run-view/wire-event.ts";

export interface Description {
  readonly tone: "idle" | "busy" | "ok" | "bad" | "warn" | "mute";
  readonly title: string;
  readonly detail: string;
  /** How the run's message begins; empty where the activity does not say. */
  readonly about: string;
}

export function describeActivity(activity: Activity): Description {
  const value = new CustomValue(activity.detail);
  return { about: value.text("title") ?? "", ...wordsFor(activity, value) };
}

function wordsFor({ type, detail }: Activity, value: CustomValue): Omit<Description, "about"> {
  switch (type) {
    case "run.queued":
      return { tone: "idle", title: "Run queued", detail: "" };
    case "run.started":
      return { tone: "busy", title: "Run started", detail: attempt(value) };
    case "run.retried":
      return { tone: "warn", title: "Retry", detail: joined(attempt(value), value.text("reason")) };
    case "run.resumed":
      return { tone: "busy", title: "Run goes on", detail: "" };
    case "run.parked":
      return { tone: "warn", title: "Run parked", detail: value.text("reason") ?? "" };
    case "run.completed":
      return { tone: "ok", title: "Run completed", detail: used(value) };
    case "run.failed":
      return { tone: "bad", title: "Run failed", detail: joined(value.text("code"), value.text("message")) };
    case "run.canceled":
      return { tone: "mute", title: "Run canceled", detail: used(value) };
    case "tool.called":
      return { tone: "busy", title: `Tool ${value.text("tool") ?? ""}`, detail: "called" };
    case "tool.finished":
      return toolFinished(value, detail["is_error"] === true);
    case "thread.deleted":
      return { tone: "mute", title: "Thread deleted", detail: value.text("thread_id") ?? "" };
    case "notice":
      return { tone: "idle", title: value.text("role") ?? "Notice", detail: value.text("content") ?? "" };
    default:
      return { tone: "idle", title: type, detail: "" };
  }
}

/** "2.1 s · 349 → 61 tokens" */
function used(value: CustomValue): string {
  const took = value.number("duration_ms");
  const [input, output] = [value.number("input_tokens"), value.number("output_tokens")];
  const tokens = input === undefined || output === undefined ? "" : `${count(input)} → ${count(output)} tokens`;
  return [took === undefined ? "" : duration(took), tokens].filter(Boolean).join(" · ");
}

function toolFinished(value: CustomValue, isError: boolean): Omit<Description, "about"> {
  const title = `Tool ${value.text("tool") ?? ""}`;
  return isError ? { tone: "bad", title, detail: "failed" } : { tone: "ok", title, detail: "finished" };
}

/** The first attempt is not mentioned. */
function attempt(value: CustomValue): string {
  const number = value.number("attempt") ?? 1;
  return number > 1 ? `attempt ${number}` : "";
}

function joined(...parts: readonly (string | undefined)[]): string {
  return parts.filter(Boolean).join(": ");
}
