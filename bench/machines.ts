/**
 * What do a run, an event and a viewer cost when the data is in Postgres: CPU in evenkeel and in Postgres, bytes of
 * write-ahead log, transactions? docs/scale.md derives from these what one database carries.
 */
import { DURABLE, TestPostgres } from "../src/testing/postgres.ts";
import { startPosts, Viewers } from "./lib/helpers.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { beginRuns, cancelRuns } from "./lib/runs.ts";
import { Evenkeel } from "./lib/servers.ts";
import { cpuMs, treeOf } from "./lib/usage.ts";
import { sleep } from "./lib/wait.ts";

const QUESTION = "machines";
const RUNS = 100;
const EVENTS_PER_RUN = 20;
const VIEWERS_A_RUN = 10;

/** Values of growing counters at one moment. */
interface Reading {
  readonly evenkeelMs: number;
  readonly postgresMs: number;
  readonly walBytes: number;
  readonly transactions: number;
}

class Site implements AsyncDisposable {
  readonly server: Evenkeel;
  readonly #database: TestPostgres;

  constructor(server: Evenkeel, database: TestPostgres) {
    this.server = server;
    this.#database = database;
  }

  /** The cost of `work`, divided by the number that `work` returns. */
  async cost(work: () => Promise<number>): Promise<Reading> {
    const before = await this.#read();
    const things = await work();
    const after = await this.#read();
    const each = (name: keyof Reading) => (after[name] - before[name]) / things;
    return {
      evenkeelMs: each("evenkeelMs"),
      postgresMs: each("postgresMs"),
      walBytes: each("walBytes"),
      transactions: each("transactions"),
    };
  }

  async #read(): Promise<Reading> {
    const { rows } = await this.#database.admin(
      "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') AS wal, sum(xact_commit) AS commits FROM pg_stat_database",
    );
    const { wal, commits } = rows[0] as { wal: string; commits: string };
    return {
      evenkeelMs: cpuMs(this.server.tree()),
      postgresMs: cpuMs(treeOf(this.#database.pid ?? 0)),
      walBytes: Number(wal),
      transactions: Number(commits),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}

export async function machines({ quick, processes, modelUrl, note }: Bench): Promise<Row[]> {
  note(
    `1 worker, 1 agent; Postgres with fsync on the same cores. Runs: POST to reply, 8 at once. Events: ${RUNS} runs at ${EVENTS_PER_RUN} events/s. Viewers: ${VIEWERS_A_RUN} of each run. CPU of the whole tree.`,
  );
  await using database = await TestPostgres.start({ settings: DURABLE });
  const options = { workers: 1, agents: 1, modelUrl, databaseUrl: database.url() };
  await using site = new Site(await Evenkeel.start(processes, options), database);
  await using posts = startPosts(processes, "load");
  const run = await site.cost(async () => {
    const body = { agent_id: "bench", message: "/sim tokens=1 ttft=0 rate=0" };
    const job = { base: site.server.url, path: "/api/chat", body, concurrency: 8, requests: Number.POSITIVE_INFINITY };
    return (await posts.run({ ...job, durationMs: quick ? 1_500 : 8_000 })).latenciesMs.length;
  });
  const windowMs = quick ? 1_500 : 8_000;
  const words = `ttft=0 tokens=1000000 rate=${EVENTS_PER_RUN}`;
  const runIds = await beginRuns(site.server.url, { runs: RUNS, words });
  await sleep(1_000);
  const event = await site.cost(async () => {
    await sleep(windowMs);
    return (RUNS * EVENTS_PER_RUN * windowMs) / 1_000;
  });
  await using viewers = new Viewers(processes, "load");
  const watched = runIds.flatMap((runId) =>
    Array.from({ length: VIEWERS_A_RUN }, () => [{ channel: "run", run_id: runId } as const]),
  );
  await viewers.open({ base: site.server.url, transport: "stream", viewers: watched });
  await sleep(1_000);
  await viewers.take();
  let frames = 0;
  const watchedEvent = await site.cost(async () => {
    await sleep(windowMs);
    ({ frames } = await viewers.take());
    return (RUNS * EVENTS_PER_RUN * windowMs) / 1_000;
  });
  await viewers.close();
  await cancelRuns(site.server.url, runIds);
  const framesAnEvent = (frames * 1_000) / (RUNS * EVENTS_PER_RUN * windowMs);
  return [...rowsOf("a run", run), ...rowsOf("an event", event), ...viewerRows({ event, watchedEvent, framesAnEvent })];
}

function rowsOf(what: string, { evenkeelMs, postgresMs, walBytes, transactions }: Reading): Row[] {
  return (
    [
      { figure: `${what}: CPU in evenkeel`, unit: "µs", measured: evenkeelMs * 1_000 },
      { figure: `${what}: CPU in Postgres`, unit: "µs", measured: postgresMs * 1_000 },
      { figure: `${what}: write-ahead log`, unit: "KB", measured: walBytes / 1_024 },
      { figure: `${what}: transactions`, unit: "x", measured: transactions },
    ] as const
  ).map((figure) => row({ question: QUESTION, ...figure }));
}

interface Watched {
  readonly event: Reading;
  readonly watchedEvent: Reading;
  readonly framesAnEvent: number;
}

/** The additional cost of watching, for each frame that reaches a viewer. */
function viewerRows({ event, watchedEvent, framesAnEvent }: Watched): Row[] {
  const added = (name: keyof Reading) => ((watchedEvent[name] - event[name]) * 1_000) / framesAnEvent;
  return (
    [
      { figure: "a viewer's frame: CPU in evenkeel", unit: "µs", measured: added("evenkeelMs") },
      { figure: "a viewer's frame: CPU in Postgres", unit: "µs", measured: added("postgresMs") },
    ] as const
  ).map((figure) => row({ question: QUESTION, ...figure }));
}
