/** Entry of the thread that loads each tool's file once, to read what the model has to be told about the tool. */
import { parentPort, workerData } from "node:worker_threads";
import { answerToOwnName } from "../../own-name.ts";
import { checkTool, schemaOf } from "./check-tool.ts";
import type { DescribedTool, DescribeNews, ToolFile } from "./describe.ts";
import { reasonOf } from "./text.ts";

answerToOwnName();
const say = (news: DescribeNews) => parentPort?.postMessage(news, []);

// Keeps the thread alive until it is terminated: its exit could be seen before its last message.
parentPort?.on("message", () => {});
for (const file of workerData as readonly ToolFile[]) {
  say({ type: "loading", file });
  try {
    say({ type: "described", tool: await describe(file) });
  } catch (error) {
    say({ type: "refused", file, reason: reasonOf(error) });
  }
}
say({ type: "done" });

async function describe(file: ToolFile): Promise<DescribedTool> {
  const { tool } = (await import(file.source)) as { tool?: unknown };
  if (tool === undefined) throw new Error("Expected it to export `tool`: export const tool = defineTool({ … }).");
  checkTool(tool);
  const { description, effects, isolation, timeoutMs, memoryMb } = tool;
  return { file, description, effects, isolation, timeoutMs, memoryMb, inputSchema: schemaOf(tool) };
}
