/**
 * `evenkeel chat`: one answer, or a conversation line by line. The answer goes to stdout, what else happens to stderr, so
 * that it can be piped. Ctrl-C cancels the answer under way; a second one, or one without an answer, ends the program.
 */
import { createInterface } from "node:readline/promises";
import { textInJournal } from "../core/event.ts";
import { newId } from "../core/id.ts";
import type { ClientEvent, Evenkeel } from "../client/client.ts";
import { connect } from "./connection.ts";
import { Leaving } from "./leaving.ts";
import { startOwnServer } from "./own-server.ts";

const MAX_RESULT_CHARACTERS = 200;
/** The exit code of a question whose answer Ctrl-C canceled. */
const CANCELED = 130;
/** A person who wants to leave does not wait longer for a server that does not answer. */
const CANCEL_MS = 2_000;

export interface ChatOptions {
  readonly server?: string;
  readonly key?: string;
}

export async function chat(agentId: string, message: string | undefined, { server, key }: ChatOptions): Promise<void> {
  using leaving = new Leaving();
  try {
    await using own = server === undefined ? await startOwnServer(leaving.signal) : undefined;
    const secret = own?.key ?? key;
    const evenkeel = connect({ server: server ?? own?.url ?? "", ...(secret !== undefined && { key: secret }) });
    const thread = { agentId, threadId: newId("thread"), evenkeel, leaving };
    if (message === undefined) await converse(thread);
    else if ((await answer(message, thread)) === "canceled") process.exitCode = CANCELED;
  } catch (error) {
    if (!leaving.signal.aborted) throw error;
  }
}

interface Conversation {
  readonly agentId: string;
  readonly threadId: string;
  readonly evenkeel: Evenkeel;
  readonly leaving: Leaving;
}

async function converse(thread: Conversation): Promise<void> {
  const { signal, interrupt } = thread.leaving;
  const terminal = createInterface({ input: process.stdin, output: process.stderr, prompt: "> ", signal });
  // Lines that were piped in are still answered after the end of the input, which closes the terminal.
  let isOpen = process.stdin.isTTY;
  terminal.on("close", () => (isOpen = false));
  // In raw mode Ctrl-C is no signal, and readline would close.
  terminal.on("SIGINT", interrupt);
  if (isOpen) terminal.prompt();
  for await (const line of terminal) {
    signal.throwIfAborted();
    if (/\S/.test(line)) await answer(line, thread);
    if (isOpen) terminal.prompt();
  }
}

/** @returns how the run ended; an error of the run is told */
async function answer(message: string, { agentId, threadId, evenkeel, leaving }: Conversation): Promise<RunEnd> {
  const runId = newId("run");
  const chat = { agent_id: agentId, message, thread_id: threadId, run_id: runId };
  const cancel = () => evenkeel.cancel(runId, { signal: AbortSignal.timeout(CANCEL_MS) }).catch(() => {});
  let end: RunEnd = "completed";
  try {
    // After a cancel the run's last event ends the loop.
    await leaving.during(
      () => void cancel(),
      async () => {
        for await (const event of evenkeel.stream(chat, { signal: leaving.signal })) end = show(event) ?? end;
      },
    );
  } finally {
    if (leaving.signal.aborted) await cancel();
  }
  return end;
}

type RunEnd = "completed" | "failed" | "canceled";

/** @returns how the run has ended, if the event says so */
function show(event: ClientEvent): RunEnd | undefined {
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
      return "failed";
    case "RUN_FINISHED":
      if (event.outcome?.type !== "cancelled") return "completed";
      process.stderr.write("[canceled]\n");
      return "canceled";
    default:
  }
  return undefined;
}

/** The beginning of a tool's result. */
function resultOf(content: Parameters<typeof textInJournal>[0]): string {
  return textInJournal(content).slice(0, MAX_RESULT_CHARACTERS);
}
