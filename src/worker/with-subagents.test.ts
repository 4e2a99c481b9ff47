import { expect, test } from "vitest";
import type { RunEvent } from "../core/event.ts";
import { customEvent } from "../core/event.ts";
import { claimNext, delta, stepOf } from "../engine/contract/setup.ts";
import { startCluster } from "../testing/cluster.ts";
import { delegatedUpTo } from "./with-subagents.ts";

const RESULT_CHARACTERS = 300_000;

test("a stream that resumes keeps of what came before only who was delegated, and which of them are done", async () => {
  await using cluster = await startCluster({ runner: false });
  await cluster.client.begin("hello", { run_id: "r" });
  const claim = await claimNext(cluster.engine);
  const events = ["a", "b"].flatMap((call) => [...callOf(call), delta("text")]);
  const waiting = { reason: "", tool_call_id: "a", run_id: "child", agent_id: "helper" };
  await cluster.engine.append(stepOf(claim, { events: [customEvent("evenkeel.waiting", waiting), ...events] }));

  const known = await delegatedUpTo(cluster, "r", await cluster.engine.lastEvent("r"));

  expect(known.map((json) => JSON.parse(json) as RunEvent)).toMatchObject([
    { type: "CUSTOM", value: { run_id: "child" } },
    { type: "TOOL_CALL_RESULT", toolCallId: "a" },
  ]);
  expect(known.join("").length).toBeLessThan(1_000);
});

function callOf(toolCallId: string): RunEvent[] {
  const content = "x".repeat(RESULT_CHARACTERS);
  return [{ type: "TOOL_CALL_RESULT", messageId: `m_${toolCallId}`, toolCallId, content, role: "tool" }];
}
