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
  /** Why the others are not whole, with how many of each. */
  readonly failures: Readonly<Record<string, number>>;
  /** The most that were open at one time. */
  readonly atOnce: number;
  readonly elapsedMs: number;
}

const MAX_REASON_CHARACTERS = 160;

serveJobs(run);

async function run(job: UseChatJob): Promise<UseChatResult> {
  const transport = new DefaultChatTransport({ api: `${job.base}/api/chat`, body: { agent_id: "bench" } });
  const expected = Array.from({ length: job.tokens }, (_, index) => `tok${index + 1}`).join(" ");
  const failures: Record<string, number> = {};
  const fail = (reason: string) => {
    failures[reason] = (failures[reason] ?? 0) + 1;
    return false;
  };
  const startedAt = performance.now();
  let open = 0;
  let atOnce = 0;
  const chat = async (index: number): Promise<boolean> => {
    await sleep((index * 1_000) / job.perSecond);
    open += 1;
    atOnce = Math.max(atOnce, open);
    try {
      const text = await read(transport, `bench-${index}`, job.words);
      return text === expected || fail(`the text is another: ${text.slice(0, 40)}… (${text.length} characters)`);
    } catch (error) {
      return fail((error as Error).message.slice(0, MAX_REASON_CHARACTERS));
    } finally {
      open -= 1;
    }
  };
  const whole = await Promise.all(Array.from({ length: job.chats }, (_, index) => chat(index)));
  return { whole: whole.filter(Boolean).length, failures, atOnce, elapsedMs: performance.now() - startedAt };
}

/** @returns the whole text. @throws Error when the stream did not come to its finish */
async function read(transport: DefaultChatTransport<never>, chatId: string, words: string): Promise<string> {
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
    if (chunk.type === "error") throw new Error(`the run failed: ${chunk.errorText}`);
  }
  if (!finished) throw new Error("the stream ended before its finish");
  return text.trim();
}
