/**
 * Runs a tool on this event loop: parses the input, runs the tool, makes text of its result, and holds the time limit.
 * A thread and a process use `runDefined`, too.
 */
import { z } from "zod";
import { contextFor, type CallContextParts } from "./context.ts";
import { failure, type CallContext, type Tool, type ToolResult } from "./invoke.ts";
import { schemaOf } from "./check-tool.ts";
import type { LoopWatch } from "./loop-watch.ts";
import { contentOf } from "./parts.ts";
import { asText, reasonOf } from "./text.ts";
import type { DefinedTool } from "./tool.ts";

/** @param watch names the tool when the event loop was blocked while it ran */
export function inlineTool(defined: DefinedTool, watch?: { readonly name: string; readonly loop: LoopWatch }): Tool {
  const { description, effects, timeoutMs } = defined;
  return {
    description,
    inputSchema: schemaOf(defined),
    effects,
    invoke: async (input, { report, signal: runSignal, timeoutMs: ownMs = timeoutMs, ...data }) => {
      const end = watch?.loop.begin((blockedMs) => tellBlocked(watch.name, blockedMs, report));
      try {
        return await withinTime(ownMs, runSignal, (signal) => runDefined(defined, input, { data, signal, report }));
      } finally {
        end?.();
      }
    },
  };
}

function tellBlocked(name: string, ms: number, report: CallContext["report"]): void {
  const text = `The event loop of the agent process stood still for ${ms} ms while the inline tool ${name} ran.`;
  report({ type: "log", level: "warn", text: `${text} With isolation: "thread" it would go on.` });
  report({ type: "progress", progress: text });
}

/** Runs one call of a tool where its code is loaded. Never rejects. */
export async function runDefined(tool: DefinedTool, input: unknown, parts: CallContextParts): Promise<ToolResult> {
  const { context, end } = contextFor(parts);
  try {
    const parsed = await tool.input.safeParseAsync(input);
    if (!parsed.success) return failure(asText(`The arguments do not fit: ${z.prettifyError(parsed.error)}`));
    // The call was given up before the tool's code began: nobody would learn what it does.
    if (parts.signal.aborted) return failure(reasonOf(parts.signal.reason));
    return { content: contentOf(await tool.run(parsed.data, context)), isError: false };
  } catch (thrown) {
    return failure(reasonOf(thrown));
  } finally {
    end();
  }
}

/** `signal` aborts at the end of the run's or the tool's time. A tool that ignores it is not waited for. */
async function withinTime(
  timeoutMs: number,
  signal: AbortSignal,
  call: (signal: AbortSignal) => Promise<ToolResult>,
): Promise<ToolResult> {
  const end = new AbortController();
  const ended = Promise.withResolvers<ToolResult>();
  end.signal.addEventListener("abort", () => ended.resolve(failure(reasonOf(end.signal.reason))));
  const timer = setTimeout(() => end.abort(new Error(tookLonger(timeoutMs))), timeoutMs);
  const follow = () => end.abort(signal.reason);
  signal.addEventListener("abort", follow);
  if (signal.aborted) follow();
  try {
    return await Promise.race([call(end.signal), ended.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", follow);
  }
}

export function tookLonger(timeoutMs: number): string {
  return `The tool took longer than ${timeoutMs} ms.`;
}
