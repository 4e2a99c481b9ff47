/** An agent is killed with -9 in the middle of its runs: how long until others have claimed all of them? */
import { row, type Bench, type Row } from "./lib/row.ts";
import { Evenkeel, getJson, postJson } from "./lib/servers.ts";
import { median } from "./lib/stats.ts";
import { sleep, until } from "./lib/wait.ts";

const QUESTION = "recovery";
const AGENTS = 2;
/** With these runs, at least one agent holds `LEAST_RUNS` of them. */
const RUNS = 24;
const LEAST_RUNS = 10;
const CLAIMED = "evenkeel.claimed";
const TIMEOUT_MS = 30_000;

interface Claim {
  readonly runId: string;
  /** `agent-<id>-<pid>` */
  readonly owner: string;
  /** Epoch ms, of the clock that the bench reads as well. */
  readonly at: number;
}

interface Killed {
  readonly runs: number;
  readonly recoveredMs: number;
}

export async function recovery({ quick, processes, modelUrl, note }: Bench): Promise<Row[]> {
  const killed: Killed[] = [];
  for (let round = 0; round < (quick ? 1 : 5); round += 1) {
    await using server = await Evenkeel.start(processes, { workers: 1, agents: AGENTS, modelUrl });
    killed.push(await killOne(server));
  }
  note(`Of ${RUNS} streaming runs, ${killed.map(({ runs }) => runs).join(", ")} were the killed agent's.`);
  return [
    row({
      question: QUESTION,
      figure: "kill -9 of an agent until all its runs are claimed again",
      unit: "ms",
      measured: median(killed.map(({ recoveredMs }) => recoveredMs)),
      max: quick ? 3_000 : 1_000,
    }),
  ];
}

async function killOne(server: Evenkeel): Promise<Killed> {
  const body = { agent_id: "bench", message: "/sim ttft=0 tokens=100000 rate=20" };
  const posted = await Promise.all(Array.from({ length: RUNS }, () => postJson(`${server.url}/api/chat/async`, body)));
  const runIds = posted.map((answer) => (answer as { run_id: string }).run_id);
  const claims = await claimsOf(server.url, runIds, 1);
  const byOwner = Map.groupBy(claims, ({ owner }) => owner);
  const [owner, lost] = [...byOwner].toSorted(([, a], [, b]) => b.length - a.length)[0] ?? ["", []];
  if (lost.length < LEAST_RUNS)
    throw new Error(`Expected an agent with ${LEAST_RUNS} runs, the most is ${lost.length}.`);
  const pid = Number(/-(\d+)$/.exec(owner)?.[1]);
  if (!(await server.pids("agent")).includes(pid)) throw new Error(`Expected ${owner} to name an agent's pid.`);
  await sleep(300);
  const killedAt = Date.now();
  process.kill(pid, "SIGKILL");
  const again = await claimsOf(
    server.url,
    lost.map(({ runId }) => runId),
    2,
  );
  return { runs: lost.length, recoveredMs: Math.max(...again.map(({ at }) => at)) - killedAt };
}

/** The n-th claim of each run, once all runs have it. */
function claimsOf(base: string, runIds: readonly string[], nth: number): Promise<Claim[]> {
  const ask = async () => {
    const claims = await Promise.all(runIds.map((runId) => claimOf(base, runId, nth)));
    return claims.every((claim) => claim !== undefined) ? claims : undefined;
  };
  return until(ask, { what: `claim ${nth} of each run`, timeoutMs: TIMEOUT_MS, everyMs: 50 });
}

async function claimOf(base: string, runId: string, nth: number): Promise<Claim | undefined> {
  const { events } = (await getJson(`${base}/api/runs/${runId}/events?limit=500`)) as {
    events: { name?: string; timestamp: number; value?: { owner: string } }[];
  };
  const claim = events.filter(({ name }) => name === CLAIMED)[nth - 1];
  return claim && { runId, owner: claim.value?.owner ?? "", at: claim.timestamp };
}
