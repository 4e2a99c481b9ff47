/** How many runs a second do eight agent processes claim from one Postgres, and does each run go to one of them only? */
import { newRun } from "../src/engine/contract/setup.ts";
import type { DatabaseSettings } from "../src/engine/driver.ts";
import { openEngine } from "../src/engine/open.ts";
import { DURABLE, TestPostgres } from "../src/testing/postgres.ts";
import { Claimer } from "./lib/helpers.ts";
import { row, type Bench, type Row } from "./lib/row.ts";

const QUESTION = "claims";
const PROCESSES = 8;
/** Free places of an agent process: it asks for so many runs at once. */
const LIMIT = 8;
const ENQUEUED_AT_ONCE = 100;
const LEAST_PER_SECOND = 1_000;

export async function claims({ quick, processes, note }: Bench): Promise<Row[]> {
  const runs = quick ? 1_000 : 5_000;
  note(`${PROCESSES} processes, ${LIMIT} runs a claim, ${runs} waiting runs; Postgres with fsync on the same cores.`);
  await using database = await TestPostgres.start({ settings: DURABLE });
  const url = database.url();
  const settings = { url, listenUrl: url, pool: 2 };
  const dataDir = processes.folder();
  await enqueue(settings, dataDir, runs);
  await using owned = new AsyncDisposableStack();
  const claimers = Array.from({ length: PROCESSES }, () => owned.use(new Claimer(processes)));
  await Promise.all(
    claimers.map((claimer, index) => claimer.open({ database: settings, dataDir, process: `${index}` })),
  );
  const startedAt = performance.now();
  const claimed = (await Promise.all(claimers.map((claimer) => claimer.claim(LIMIT)))).flatMap(({ runIds }) => runIds);
  const seconds = (performance.now() - startedAt) / 1_000;
  await Promise.all(claimers.map((claimer) => claimer.close()));
  const each = new Set(claimed).size;
  const shown = { question: QUESTION, unit: "runs" } as const;
  return [
    row({ question: QUESTION, figure: "runs claimed", unit: "/s", measured: each / seconds }),
    row({
      question: QUESTION,
      figure: "a claimed run, of all processes together",
      unit: "µs",
      measured: (seconds * 1_000_000) / each,
      max: (quick ? 3 : 1) * (1_000_000 / LEAST_PER_SECOND),
    }),
    row({ ...shown, figure: "claimed twice", measured: claimed.length - each, max: 0 }),
    row({ ...shown, figure: "claimed by nobody", measured: runs - each, max: 0 }),
  ];
}

async function enqueue(database: DatabaseSettings, dataDir: string, runs: number): Promise<void> {
  const engine = await openEngine({ dataDir, database, durability: "full", limits: { queued: runs } });
  try {
    for (let left = runs; left > 0; left -= ENQUEUED_AT_ONCE)
      await Promise.all(Array.from({ length: Math.min(left, ENQUEUED_AT_ONCE) }, () => engine.enqueue(newRun())));
  } finally {
    await engine.close();
  }
}
