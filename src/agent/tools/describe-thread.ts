/** Entry of the thread that loads each tool's file once, to read what the model has to be told about the tool. */
import { parentPort, workerData } from "node:worker_threads";
import { answerToOwnName } from "../../own-name.ts";
import { checkTool, schemaOf } from "./check-tool.ts";
import type { DescribedTool, DescribeNews, DescribeTask, ToolFile } from "./describe.ts";
import { reasonOf } from "./text.ts";

answerToOwnName();
const { files, token } = workerData as DescribeTask;
const say = (news: DescribeNews) => parentPort?.postMessage({ token, news }, []);

// Keeps the thread alive until it is terminated: its exit could be seen before its last message.
parentPort?.on("message", () => {});
for (const file of files) {
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
  refuseFieldsOfAll();
  if (tool === undefined) throw new Error("Expected it to export `tool`: export const tool = defineTool({ … }).");
  checkTool(tool);
  const { description, effects, isolation, timeoutMs, memoryMb } = tool;
  return { file, description, effects, isolation, timeoutMs, memoryMb, inputSchema: schemaOf(tool) };
}

/** A field of every object makes zod fail for all files after this one, so say which file has added it. */
function refuseFieldsOfAll(): void {
  const all = Object.prototype as Record<string, unknown>;
  const added = Object.keys(all);
  for (const name of added) delete all[name];
  if (added.length > 0)
    throw new Error(`It adds \`${added[0]}\` to every object; use Object.defineProperty, not enumerable.`);
}
