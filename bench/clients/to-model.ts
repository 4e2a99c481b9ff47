/** Renders a long thread for the model, and then a step more of it, as the agent loop does. In a process of its own. */
import { Transcript, toModel } from "../../src/agent/history/transcript.ts";
import type { Audience } from "../../src/agent/history/model-message.ts";
import type { Message } from "../../src/core/message.ts";
import type { Turn } from "../../src/engine/engine.ts";
import { serveJobs } from "../lib/jobs.ts";

export interface ToModelJob {
  readonly messages: number;
  readonly rounds: number;
}

export interface ToModelResult {
  readonly wholeMs: readonly number[];
  readonly stepMs: readonly number[];
}

const AUDIENCE: Audience = { model: "simulated-model", hasTools: true, maxResultCharacters: 100_000 };
const PARAGRAPH = "The keel is the backbone of the ship, and everything else is built upon it. ".repeat(4);
/** A question, a tool's call, its result, an answer. */
const MESSAGES_A_TURN = 4;

serveJobs(async ({ messages, rounds }: ToModelJob): Promise<ToModelResult> => {
  const turns = Array.from({ length: messages / MESSAGES_A_TURN }, (_, index) => turn(index));
  const wholeMs: number[] = [];
  const stepMs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    wholeMs.push(timed(() => toModel(turns, AUDIENCE)));
    const transcript = new Transcript(AUDIENCE, turns);
    for (const message of turn(messages).messages) {
      stepMs.push(
        timed(() => {
          transcript.push(message);
          return transcript.messages;
        }),
      );
    }
  }
  return { wholeMs, stepMs };
});

function timed(work: () => readonly unknown[]): number {
  const startedAt = performance.now();
  if (work().length === 0) throw new Error("Expected messages.");
  return performance.now() - startedAt;
}

function turn(index: number): Turn {
  const id = `call_${index}`;
  const messages = [
    { role: "user", content: `${index}: ${PARAGRAPH}` },
    { role: "assistant", content: [{ type: "tool_use", id, name: "echo", input: { message: PARAGRAPH } }] },
    { role: "user", content: [{ type: "tool_result", tool_use_id: id, content: PARAGRAPH }] },
    { role: "assistant", content: [{ type: "text", text: PARAGRAPH }] },
  ] as const satisfies Message[];
  const ended = { status: "completed", finishReason: "stop", errorCode: null } as const;
  return { runId: `run_${index}`, agentId: "bench", ...ended, attempts: 1, steps: 2, messages, toolCalls: [] };
}
