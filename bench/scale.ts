/**
 * How many machines does one database carry, and which resource ends first? The answer is computed from the costs that
 * `machines` measured, and simulated: busy agent processes commit their frames, and the database's cores and the lock
 * of NOTIFY are queues. Nothing here is measured. docs/scale.md says what the model leaves out.
 */
import { row, type Bench, type Row } from "./lib/row.ts";
import { percentile } from "./lib/stats.ts";

const QUESTION = "scale";
const MACHINES = [1, 10, 100, 1_000] as const;
const SEED = 2_026;
const COMMITS = 30_000;
/** Number of commits after which the queues no longer grow. */
const WARM_UP = 3_000;

/** By `npm run bench -- --only machines`: CPU of Postgres and bytes of its log for an event, commits and news included. */
const EVENT = { micros: 200, walBytes: 430 };

/** The load of one machine. */
const CHATS = 100;
const EVENTS_A_CHAT = 20;
const AGENTS = 2;
/** Commits, each with a NOTIFY, of a busy agent process. */
const COMMITS_A_SECOND = 50;
const NEWS_SPACING_MS = 5;
/** 4 workers, 2 agents, the primary and its upkeep thread; each with a pool of 4 and two connections for the bus. */
const CONNECTIONS = 8 * 6;

/** A large server with a fast disk, and what one Postgres was seen to do (docs/scale.md). */
const DATABASE = { cores: 16, flushMs: 0.5, walBytesASecond: 200e6, newsASecond: 6_000, connections: 5_000 };

/** Above this share of a resource its queue grows, so another database (a cell of its own) is due. */
const FULL = 0.8;

export async function scale({ note }: Bench): Promise<Row[]> {
  note(
    `${CHATS} chats a machine at ${EVENTS_A_CHAT} events/s each, ${AGENTS} agents. One database: ${DATABASE.cores} cores, ${DATABASE.connections} connections. Computed and simulated (seed ${SEED}), not measured.`,
  );
  const machinesACell = Math.floor(FULL / Math.max(...Object.values(useOf(1))));
  const shown = { question: QUESTION };
  const rows = MACHINES.flatMap((machines) => {
    const use = useOf(machines);
    const [first, share] = Object.entries(use).toSorted(([, a], [, b]) => b - a)[0] ?? ["", 0];
    note(`${machines} machines on one database: most of all it uses its ${first}, ${Math.round(share * 100)} %.`);
    const at = machines === 1 ? "1 machine" : `${machines} machines`;
    const cells = Math.ceil(machines / machinesACell);
    return [
      ...Object.entries(use).map(([name, part]) =>
        row({ ...shown, figure: `${at}, one database: ${name}`, unit: "%", measured: part * 100 }),
      ),
      row({ ...shown, figure: `${at}: databases needed`, unit: "x", measured: cells }),
      row({
        ...shown,
        figure: `${at}: append to news p99, with so many`,
        unit: "ms",
        measured: p99Of(Math.ceil(machines / cells)),
      }),
    ];
  });
  return [
    ...rows,
    row({
      ...shown,
      figure: "chats at once that one database carries",
      unit: "streams",
      measured: machinesACell * CHATS,
    }),
  ];
}

/** The share of each resource of one database that `machines` machines use. */
function useOf(machines: number): Readonly<Record<string, number>> {
  const events = machines * CHATS * EVENTS_A_CHAT;
  return {
    cores: (events * EVENT.micros) / (DATABASE.cores * 1e6),
    "log's disk": (events * EVENT.walBytes) / DATABASE.walBytesASecond,
    "lock of NOTIFY": (machines * AGENTS * COMMITS_A_SECOND) / DATABASE.newsASecond,
    connections: (machines * CONNECTIONS) / DATABASE.connections,
  };
}

/**
 * 99th percentile, in ms, of the time from the beginning of a commit to its NOTIFY, for the machines of one database.
 */
function p99Of(machines: number): number {
  const random = randomFrom(SEED);
  const exponential = (mean: number) => -Math.log(1 - random()) * mean;
  const commitsASecond = machines * AGENTS * COMMITS_A_SECOND;
  const commitMs = ((machines * CHATS * EVENTS_A_CHAT) / commitsASecond) * (EVENT.micros / 1_000);
  const freeAt = Array.from({ length: DATABASE.cores }, () => 0);
  let now = 0;
  const commits = Array.from({ length: COMMITS }, () => {
    now += exponential(1_000 / commitsASecond);
    const core = freeAt.indexOf(Math.min(...freeAt));
    const computedAt = Math.max(now, freeAt[core] ?? 0) + exponential(commitMs);
    freeAt[core] = computedAt;
    // While the log of a commit is written, other commits use the core. News of a process waits for the next group.
    const committedAt = computedAt + exponential(DATABASE.flushMs);
    return { begunAt: now, newsAt: committedAt + random() * NEWS_SPACING_MS };
  });
  let lockFreeAt = 0;
  const latencies = commits
    .toSorted((a, b) => a.newsAt - b.newsAt)
    .map(({ begunAt, newsAt }) => {
      lockFreeAt = Math.max(newsAt, lockFreeAt) + 1_000 / DATABASE.newsASecond;
      return lockFreeAt - begunAt;
    });
  return percentile(latencies.slice(WARM_UP), 99);
}

/** mulberry32: the same numbers in [0, 1) for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
