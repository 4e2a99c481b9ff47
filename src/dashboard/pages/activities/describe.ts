/** An activity in a few words, and how it is to be colored. */
import type { Activity } from "../../../core/activity.ts";
import { CustomValue } from "../../run-view/wire-event.ts";

export interface Description {
  readonly tone: "idle" | "busy" | "ok" | "bad" | "warn" | "mute";
  readonly title: string;
  readonly detail: string;
}

export function describeActivity({ type, detail }: Activity): Description {
  const value = new CustomValue(detail);
  switch (type) {
    case "run.queued":
      return { tone: "idle", title: "Run queued", detail: "" };
    case "run.started":
      return { tone: "busy", title: "Run started", detail: attempt(value) };
    case "run.retried":
      return { tone: "warn", title: "Retry", detail: joined(attempt(value), value.text("reason")) };
    case "run.completed":
      return { tone: "ok", title: "Run completed", detail: "" };
    case "run.failed":
      return { tone: "bad", title: "Run failed", detail: joined(value.text("code"), value.text("message")) };
    case "run.canceled":
      return { tone: "mute", title: "Run canceled", detail: "" };
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

function toolFinished(value: CustomValue, isError: boolean): Description {
  const title = `Tool ${value.text("tool") ?? ""}`;
  return isError ? { tone: "bad", title, detail: "failed" } : { tone: "ok", title, detail: "finished" };
}

/** The first try is not worth a word. */
function attempt(value: CustomValue): string {
  const number = value.number("attempt") ?? 1;
  return number > 1 ? `attempt ${number}` : "";
}

function joined(...parts: readonly (string | undefined)[]): string {
  return parts.filter(Boolean).join(": ");
}
