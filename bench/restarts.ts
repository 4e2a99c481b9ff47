/**
 * 20 rolling restarts (SIGHUP) in a row under clients that keep their connections: how many of their requests fail, and how
 * many a restart breaks off?
 */
import { Cycles } from "./lib/helpers.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { Evenkeel } from "./lib/servers.ts";
import { until } from "./lib/wait.ts";

const QUESTION = "restarts";
const CLIENTS = 20;
const PATIENCE_MS = 60_000;

export async function restarts({ quick, processes, modelUrl, note }: Bench): Promise<Row[]> {
  const [times, least] = quick ? [2, 500] : [20, 20_000];
  note(
    `${CLIENTS} clients with a connection each that they keep, one request after another: /health, /api/activities, and every tenth a chat. ` +
      "The next restart begins once every process of the last one is ready.",
  );
  await using server = await Evenkeel.start(processes, { workers: 4, agents: 2, modelUrl });
  await using cycles = new Cycles(processes);
  await cycles.open({ base: server.url, clients: CLIENTS });
  for (let time = 0; time < times; time += 1) await restart(server);
  const enough = async () => ((await cycles.count()).requests >= least ? true : undefined);
  await until(enough, { what: `${least} requests`, timeoutMs: PATIENCE_MS, everyMs: 200 });
  const { requests, failed, connections, reasons } = await cycles.close();
  for (const reason of reasons) note(`Failed: ${reason}.`);
  const shown = (figure: string) => ({ question: QUESTION, figure: `${times} rolling restarts: ${figure}` });
  return [
    row({ ...shown("requests"), unit: "requests", measured: requests }),
    row({ ...shown("failed requests"), unit: "requests", measured: requests < least ? Number.NaN : failed, max: 0 }),
    row({ ...shown("connections of the clients"), unit: "clients", measured: connections }),
  ];
}

/** Resolves when each place of workers and agents has another process that is ready. */
async function restart(server: Evenkeel): Promise<void> {
  const before = await children(server);
  process.kill(server.pid, "SIGHUP");
  const replaced = async () => {
    const after = await children(server).catch(() => new Map<string, number | null>());
    return after.size === before.size && [...after].every(([place, pid]) => pid !== null && pid !== before.get(place))
      ? true
      : undefined;
  };
  await until(replaced, { what: "new processes after SIGHUP", timeoutMs: PATIENCE_MS, everyMs: 100 });
}

/** The pids by place; null for a process that is not ready. */
async function children(server: Evenkeel): Promise<Map<string, number | null>> {
  const { processes } = await server.processes();
  return new Map(
    processes
      .filter(({ kind }) => kind === "worker" || kind === "agent")
      .map(({ kind, id, pid, state }) => [`${kind} ${id}`, state === "ready" ? pid : null]),
  );
}
