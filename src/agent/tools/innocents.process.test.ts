/**
 * Fault A13: one run whose tool does everything that a bad tool does, beside 40 runs that only stream. Real processes.
 */
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { problemsOf, textIn } from "../../testing/journal.ts";
import { startServer, type Server } from "../../testing/server.ts";

const ROOT = join(import.meta.dirname, "../../..");
const INNOCENTS = 40;
/** The pace of each innocent run: five tokens a second. */
const PACE_MS = 200;
/** Longer than the deeds take anywhere: these runs are canceled once the deeds are done. */
const INNOCENT = `/sim tokens=10000 rate=${1_000 / PACE_MS}`;
const CONTROL_MS = 5_000;
/**
 * The fault's limit, which the usual frame has to keep. Single frames may be late on a machine that others use as well.
 * A loop that a deed has blocked shows in frames that are stuck.
 */
const LATE_MS = 50;
const STUCK_MS = 1_000;
const MORE_STUCK = 0.01;
/** No other process of the machine sleeps as long. */
const SLEEP_S = `300.${process.pid}`;

/** Several calls at once, in the order in which the model asks for them. */
const BATCHES = [
  ["exit", "exit later", "abort", "kill itself", "kill its parent", "send to its parent", "throw null"],
  ["throw from a timer", "throw after its end", "reject astray", "return 50 MB", "replace globals"],
  ["fill the heap", "leak buffers"],
  ["allocate at once", "spin for ever"],
  ["match for ever", "loop in microtasks", "wait on memory"],
  ["print for ever", "leave a timer", "leave a child", "wait for a child"],
];

test.each(["1", "2"])(
  "no deed of a tool fails or restarts a run beside it, with AGENTS=%s",
  async (agents) => {
    await using config = await makeConfig();
    await using server = await startServer({ env: { AGENTS: agents, CONFIG_DIR: config.path } });
    const innocents = await Promise.all(
      Array.from({ length: INNOCENTS }, () => server.client.begin(INNOCENT, { agent_id: "innocent" })),
    );

    // Measures the machine while no tool misbehaves: other programs on it make frames late, too.
    await delay(CONTROL_MS);
    const begunAt = Date.now();
    for (const deeds of BATCHES) {
      const calls = deeds.map((deed) => {
        const argument = deed.endsWith("a child") ? SLEEP_S : "x";
        return `tool=naughty input=${JSON.stringify({ deed, argument })}`;
      });
      const { body } = await server.client.chat(`/sim ${calls.join(" ")}`, { agent_id: "naughty" });
      expect(body).toMatchObject({ status: "completed" });
      const events = await server.client.events(body.run_id);
      expect(problemsOf(events)).toEqual([]);
      expect(events.filter(({ type }) => type === "TOOL_CALL_RESULT")).toHaveLength(deeds.length);
    }

    const endedAt = Date.now();
    await vi.waitFor(() => expect(sleepers()).toEqual([]), { timeout: 5_000 });
    for (const runId of innocents) {
      const { body } = await server.client.get(`/api/runs/${runId}`);
      expect(body).toMatchObject({ status: "running", attempts: 1, error: null });
    }
    expect((await server.processes("agent")).map(({ restarts }) => restarts)).not.toContain(1);
    await cancelAll(server, innocents);
    const frames = (await Promise.all(innocents.map((runId) => framesOf(server, runId)))).flat();
    const control = frames.filter(({ at }) => at < begunAt);
    const beside = frames.filter(({ at }) => at >= begunAt && at < endedAt);
    expect(beside.length).toBeGreaterThan(INNOCENTS * 10);
    expect(medianLateMs(beside)).toBeLessThanOrEqual(medianLateMs(control) + LATE_MS);
    expect(stuckShare(beside)).toBeLessThanOrEqual(stuckShare(control) + MORE_STUCK);
  },
  120_000,
);

/** Each innocent run ends, and has streamed each of its tokens so far once. */
async function cancelAll(server: Server, runIds: readonly string[]): Promise<void> {
  for (const runId of runIds) {
    await server.client.post(`/api/runs/${runId}/cancel`);
    await server.client.follow(runId).then((response) => response.text());
    const events = await server.client.events(runId);
    expect(problemsOf(events)).toEqual([]);
    const tokens = textIn(events).split(" ");
    expect(tokens).toEqual(tokens.map((_, index) => `tok${index + 1}`));
    const { body } = await server.client.get(`/api/runs/${runId}`);
    expect(body).toMatchObject({ status: "canceled", attempts: 1 });
  }
}

async function makeConfig(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "evenkeel-config-"));
  await mkdir(join(path, "tools"));
  await writeFile(
    join(path, "agents.ts"),
    `import { defineAgents } from ${JSON.stringify(join(ROOT, "src/core/agent.ts"))};
     export const agents = defineAgents({
       innocent: { model: "simulated", maxTokens: 10_000 },
       naughty: { model: "simulated", maxTokens: 10_000, tools: ["naughty"] },
     });`,
  );
  await writeFile(
    join(path, "tools/naughty.ts"),
    `export { tool } from ${JSON.stringify(join(ROOT, "src/agent/tools/fixtures/naughty.ts"))};`,
  );
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

interface ShownFrame {
  /** The time of its append, in milliseconds since the epoch. */
  readonly at: number;
  readonly lateMs: number;
}

/** The frames of one innocent run. A frame is late by its distance from the pace of the run's best frame. */
async function framesOf({ client }: Server, runId: string): Promise<ShownFrame[]> {
  const frames = (await client.events(runId)).flatMap(({ type, delta, timestamp }) => {
    // The model numbers its tokens; the last number in a frame tells how far it goes.
    const token = /tok(\d+)\D*$/.exec(type === "TEXT_MESSAGE_CONTENT" ? (delta ?? "") : "")?.[1];
    return token === undefined ? [] : [{ at: timestamp, offset: timestamp - Number(token) * PACE_MS }];
  });
  const best = Math.min(...frames.map(({ offset }) => offset));
  return frames.map(({ at, offset }) => ({ at, lateMs: offset - best }));
}

function medianLateMs(frames: readonly ShownFrame[]): number {
  return frames.map(({ lateMs }) => lateMs).toSorted((a, b) => a - b)[frames.length >> 1] ?? Infinity;
}

function stuckShare(frames: readonly ShownFrame[]): number {
  return frames.filter(({ lateMs }) => lateMs > STUCK_MS).length / frames.length;
}

/** The processes that "leave a child" and "wait for a child" start. */
function sleepers(): string[] {
  const list = execFileSync("ps", ["-eo", "pid,args"], { encoding: "utf8" }).split("\n");
  return list.filter((line) => line.trim().endsWith(` sleep ${SLEEP_S}`));
}
