/**
 * A worker and an agent that take more memory than they may are replaced. How many requests of clients that keep their
 * connections fail meanwhile, and does a run that the agent has under way go on?
 */
import { Cycles, startReads } from "./lib/helpers.ts";
import { makeLongThread } from "./lib/long-thread.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { Evenkeel, getJson } from "./lib/servers.ts";
import { beginRuns } from "./lib/runs.ts";
import { until } from "./lib/wait.ts";

const QUESTION = "ceiling";
/** The least that may be set. An agent with tools takes more; a worker does once it has read long threads. */
const CEILING_MB = "128";
const CLIENTS = 20;
/** A process is left alone in its first minute. */
const PATIENCE_MS = 180_000;
/** Longer than that minute and the ten seconds above the ceiling. */
const RUN_SECONDS = 100;

export async function ceiling({ processes, modelUrl, note }: Bench): Promise<Row[]> {
  note(`WORKER_MEMORY_MB and AGENT_MEMORY_MB are ${CEILING_MB}. ${CLIENTS} clients with a connection each.`);
  const env = { WORKER_MEMORY_MB: CEILING_MB, AGENT_MEMORY_MB: CEILING_MB };
  await using server = await Evenkeel.start(processes, { workers: 2, agents: 1, modelUrl, env });
  const threadId = await makeLongThread(server.dataDir);
  const [runId = ""] = await beginRuns(server.url, { runs: 1, words: `ttft=0 rate=10 tokens=${10 * RUN_SECONDS}` });
  await using cycles = new Cycles(processes);
  await using readers = startReads(processes);
  await cycles.open({ base: server.url, clients: CLIENTS });
  const before = await pidsOf(server);
  const broken: string[] = [];
  const replaced = async () => {
    // It makes the workers grow. Its failures count as the others' do, but do not end the measurement.
    await readers.run({ base: server.url, threadId, readers: 4 }).catch((error: Error) => broken.push(error.message));
    const after = await pidsOf(server);
    const [workers, agents] = [changes(before.worker, after.worker), changes(before.agent, after.agent)];
    return workers > 0 && agents > 0 ? { workers, agents } : undefined;
  };
  await until(replaced, { what: "another worker and another agent", timeoutMs: PATIENCE_MS, everyMs: 1_000 });
  const run = await until(() => endOf(server, runId), { what: "the end of the run", timeoutMs: PATIENCE_MS });
  const { requests, failed, reasons } = await cycles.close();
  for (const reason of [...reasons, ...broken]) note(`Failed: ${reason}.`);
  // A process that was killed because it stood still, on a busy machine, breaks off requests too.
  for (const { kind, id, last_exit: exit } of (await server.processes()).processes)
    if (exit) note(`${kind} ${id}: ${exit.reason}.`);
  const isUndisturbed = run.status === "completed" && run.attempts === 1;
  return [
    row({ question: QUESTION, figure: "requests", unit: "requests", measured: requests }),
    row({ question: QUESTION, figure: "failed requests", unit: "requests", measured: failed + broken.length, max: 0 }),
    row({ question: QUESTION, figure: "runs moved or lost", unit: "runs", measured: isUndisturbed ? 0 : 1, max: 0 }),
  ];
}

async function pidsOf(
  server: Evenkeel,
): Promise<{ readonly worker: readonly number[]; readonly agent: readonly number[] }> {
  return { worker: await server.pids("worker"), agent: await server.pids("agent") };
}

function changes(before: readonly number[], after: readonly number[]): number {
  return after.filter((pid) => !before.includes(pid)).length;
}

async function endOf(server: Evenkeel, runId: string) {
  const run = (await getJson(`${server.url}/api/runs/${runId}`)) as { status: string; attempts: number };
  return ["queued", "running"].includes(run.status) ? undefined : run;
}
