/**
 * `evenkeel chat`: one answer, or a conversation line by line. The answer goes to stdout, what else happens to stderr, so
 * that it can be piped. Ctrl-C cancels the answer under way; without one it ends the program.
 */
import { createInterface } from "node:readline/promises";
import { textInJournal } from "../core/event.ts";
import { newId } from "../core/id.ts";
import type { ClientEvent, Evenkeel } from "../client/client.ts";
import { connect } from "./connection.ts";
import { startOwnServer } from "./own-server.ts";

const MAX_RESULT_CHARACTERS = 200;

export interface ChatOptions {
  readonly server?: string;
  readonly key?: string;
}

export async function chat(agentId: string, message: string | undefined, { server, key }: ChatOptions): Promise<void> {
  await using own = server === undefined ? await startOwnServer() : undefined;
  const evenkeel = connect({ server: server ?? own?.url ?? "", ...(key !== undefined && { key }) });
  const thread = { agentId, threadId: newId("thread"), evenkeel };
  if (message !== undefined) await answer(message, thread);
  else await converse(thread);
}

interface Conversation {
  readonly agentId: string;
  readonly threadId: string;
  readonly evenkeel: Evenkeel;
}

async function converse(thread: Conversation): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr, prompt: "> " });
  terminal.prompt();
  for await (const line of terminal) {
    if (/\S/.test(line)) await answer(line, thread);
    terminal.prompt();
  }
}

async function answer(message: string, { agentId, threadId, evenkeel }: Conversation): Promise<void> {
  const runId = newId("run");
  // The run ends as canceled, and its last event ends the loop below.
  const onInterrupt = () => void evenkeel.cancel(runId).catch(() => {});
  process.on("SIGINT", onInterrupt);
  try {
    const chat = { agent_id: agentId, message, thread_id: threadId, run_id: runId };
    for await (const event of evenkeel.stream(chat)) show(event);
  } finally {
    process.off("SIGINT", onInterrupt);
  }
}

function show(event: ClientEvent): void {
  switch (event.type) {
    case "TEXT_MESSAGE_CONTENT":
      process.stdout.write(event.delta);
      break;
    case "TEXT_MESSAGE_END":
      process.stdout.write("\n");
      break;
    case "TOOL_CALL_START":
      process.stderr.write(`[${event.toolCallName} `);
      break;
    case "TOOL_CALL_ARGS":
      process.stderr.write(event.delta);
      break;
    case "TOOL_CALL_END":
      process.stderr.write("]\n");
      break;
    case "TOOL_CALL_RESULT":
      process.stderr.write(`[${event.isError ? "failed" : "result"}: ${resultOf(event.content)}]\n`);
      break;
    case "CUSTOM":
      if (event.name === "evenkeel.attempt") process.stderr.write("[the answer broke off and is made again]\n");
      break;
    case "RUN_ERROR":
      process.stderr.write(`${event.message}\n`);
      process.exitCode = 1;
      break;
    case "RUN_FINISHED":
      if (event.outcome?.type === "cancelled") process.stderr.write("[canceled]\n");
      break;
    default:
  }
}

/** The beginning of a tool's result. */
function resultOf(content: Parameters<typeof textInJournal>[0]): string {
  return textInJournal(content).slice(0, MAX_RESULT_CHARACTERS);
}
