/** The context of a tool call that no run made. */
import type { CallContext } from "../agent/tools/invoke.ts";

export function callContext(over: Partial<CallContext> = {}): CallContext {
  return {
    signal: new AbortController().signal,
    report: () => {},
    runId: "run",
    threadId: "thread",
    agentId: "agent",
    principal: "somebody",
    metadata: {},
    toolCallId: "call",
    idempotencyKey: "run:1:call",
    ...over,
  };
}
