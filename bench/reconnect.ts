/** A network blip: all clients lose their connections in one moment and come back at once. How long until all have resumed? */
import type { Latency } from "./clients/pace.ts";
import type { Seen, Transport } from "./clients/viewers.ts";
import { startPace, Viewers } from "./lib/helpers.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { beginRuns } from "./lib/runs.ts";
import { Evenkeel } from "./lib/servers.ts";
import { sum } from "./lib/stats.ts";
import { sleep } from "./lib/wait.ts";

const QUESTION = "reconnect";
const TRANSPORTS = ["socket", "stream"] as const;
const NAMES = { socket: "WebSockets", stream: "event streams" } as const;
/** Half of the clients use each transport. */
const CLIENTS = { quick: 200, full: 1_000 } as const;
const CLIENTS_PER_RUN = 20;

export async function reconnect({ quick, processes, modelUrl, note }: Bench): Promise<Row[]> {
  const clients = quick ? CLIENTS.quick : CLIENTS.full;
  const each = clients / TRANSPORTS.length;
  note(
    `${CLIENTS_PER_RUN} clients a run, which says 4 words a second; resumed: the next event came. 4 workers, 2 agents.`,
  );
  await using server = await Evenkeel.start(processes, { workers: 4, agents: 2, modelUrl });
  await using pace = startPace(processes);
  await using sockets = new Viewers(processes, "measure");
  await using streams = new Viewers(processes, "measure");
  const helpers = { socket: sockets, stream: streams };
  const { url: base } = server;
  const runIds = await beginRuns(base, { runs: each / CLIENTS_PER_RUN, words: "ttft=0 tokens=1000000 rate=4" });
  const viewers = Array.from({ length: each }, (_, index) => [
    { channel: "run", run_id: runIds[index % runIds.length] ?? "" } as const,
  ]);
  for (const transport of TRANSPORTS) await helpers[transport].open({ base, transport, viewers });
  const health = pace.run({
    base,
    paths: ["/health"],
    perSecond: 100,
    durationMs: quick ? 3_000 : 10_000,
    graceMs: 2_000,
  });
  await sleep(500);
  const [first, second] = await Promise.all(TRANSPORTS.map((transport) => helpers[transport].drop()));
  const resumedMs = { socket: first ?? [], stream: second ?? [] };
  const [latency] = (await health).latencies;
  const seen = await Promise.all(TRANSPORTS.map((transport) => helpers[transport].take()));
  return rowsOf({ each, resumedMs, latency, seen });
}

interface Result {
  /** Clients of each transport. */
  readonly each: number;
  readonly resumedMs: Readonly<Record<Transport, readonly number[]>>;
  readonly latency: Latency | undefined;
  readonly seen: readonly Seen[];
}

function rowsOf({ each, resumedMs, latency, seen }: Result): Row[] {
  const shown = { question: QUESTION };
  const notBack = sum(seen.map(({ open }) => each - open));
  const faults = sum(seen.map((one) => one.faults));
  return [
    ...TRANSPORTS.map((transport) =>
      row({
        ...shown,
        figure: `${each} ${NAMES[transport]} dropped at once until the last resumed`,
        unit: "ms",
        measured: Math.max(...resumedMs[transport]),
        max: 10_000,
      }),
    ),
    row({ ...shown, figure: "/health meanwhile: p99", unit: "ms", measured: latency?.p99 ?? Number.NaN, max: 200 }),
    row({
      ...shown,
      figure: "/health meanwhile: failed or unanswered",
      unit: "requests",
      measured: (latency?.failed ?? Number.NaN) + (latency?.unanswered ?? Number.NaN),
      max: 0,
    }),
    row({ ...shown, figure: "clients that are not back", unit: "clients", measured: notBack, max: 0 }),
    row({ ...shown, figure: "holes and repeats", unit: "events", measured: faults, max: 0 }),
  ];
}
