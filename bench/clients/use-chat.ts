/**
 * Many chats at once through the AI SDK's own transport, which is what `useChat` sends and reads with. Runs in a
 * process of its own.
 */
import { DefaultChatTransport } from "ai";
import { serveJobs } from "../lib/jobs.ts";
import { sleep } from "../lib/wait.ts";

export interface UseChatJob {
  readonly base: string;
  readonly chats: number;
  /** The message for the simulated model; it must order `tokens` tokens. */
  readonly words: string;
  readonly tokens: number;
  /** Number of chats that begin in one second. */
  readonly perSecond: number;
}

export interface UseChatResult {
  /** Chats whose stream ended with a finish, every token read once and in order. */
  readonly whole: number;
  /** The most that were open at one time. */
  readonly atOnce: number;
  readonly elapsedMs: number;
}

serveJobs(run);

async function run(job: UseChatJob): Promise<UseChatResult> {
  const transport = new DefaultChatTransport({ api: `${job.base}/api/chat`, body: { agent_id: "bench" } });
  const expected = Array.from({ length: job.tokens }, (_, index) => `tok${index + 1}`).join(" ");
  const startedAt = performance.now();
  let open = 0;
  let atOnce = 0;
  const chat = async (index: number): Promise<boolean> => {
    await sleep((index * 1_000) / job.perSecond);
    open += 1;
    atOnce = Math.max(atOnce, open);
    try {
      return (await read(transport, `bench-${index}`, job.words)) === expected;
    } catch {
      return false;
    } finally {
      open -= 1;
    }
  };
  const whole = await Promise.all(Array.from({ length: job.chats }, (_, index) => chat(index)));
  return { whole: whole.filter(Boolean).length, atOnce, elapsedMs: performance.now() - startedAt };
}

/** @returns the whole text; undefined when the stream did not come to its finish */
async function read(
  transport: DefaultChatTransport<never>,
  chatId: string,
  words: string,
): Promise<string | undefined> {
  const message = { id: "m1", role: "user", parts: [{ type: "text", text: words }] };
  const stream = await transport.sendMessages({
    trigger: "submit-message",
    chatId,
    messageId: undefined,
    messages: [message as never],
    abortSignal: undefined,
  });
  let text = "";
  let finished = false;
  for await (const chunk of stream) {
    if (chunk.type === "text-delta") text += chunk.delta;
    if (chunk.type === "finish") finished = true;
  }
  return finished ? text.trim() : undefined;
}
