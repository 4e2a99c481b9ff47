/** A thread of many megabytes, stored beside the server because a body of this size would be refused. */
import { newId } from "../../src/core/id.ts";
import type { Message } from "../../src/core/message.ts";
import { openEngine } from "../../src/engine/open.ts";

const MESSAGES = 1_400;
const MESSAGE_CHARACTERS = 20_000;
export const LONG_THREAD_MB = (MESSAGES * MESSAGE_CHARACTERS) / 1e6;

/** @returns its id */
export async function makeLongThread(dataDir: string): Promise<string> {
  const engine = await openEngine({ dataDir, durability: "normal", limits: { queued: 10 } });
  const [runId, threadId] = [newId("run"), newId("thread")];
  await engine.enqueue({
    runId,
    threadId,
    agentId: "bench",
    parentRunId: null,
    message: "hello",
    before: Array.from({ length: MESSAGES }, (_, at) => messageAt(at)),
    strategy: "enqueue",
    timeoutMs: null,
    metadata: {},
    principal: "local",
    idempotencyKey: null,
    runIdChosen: false,
    fingerprint: "",
  });
  await engine.cancel(runId);
  await engine.close();
  return threadId;
}

function messageAt(at: number): Message {
  return { role: at % 2 === 0 ? "user" : "assistant", content: "word ".repeat(MESSAGE_CHARACTERS / 5) };
}
