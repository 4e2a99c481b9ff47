/**
 * `npm run soak -- --minutes 60 --engine sqlite|postgres`: a light load of every kind on a real server whose retention
 * has to work, and every 30 seconds a sample of the stored bytes and of what each process holds once its garbage is
 * collected. At the end it says by how much each process grew an hour after its warm-up, and whether the stored bytes
 * stayed bounded. Exits 1 when a limit is missed. The samples and the server's log are written to bench/results/ as they
 * come.
 */
import { mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { TestPostgres } from "../../src/testing/postgres.ts";
import { Processes } from "../lib/processes.ts";
import { Evenkeel, startModel } from "../lib/servers.ts";
import { sleep } from "../lib/wait.ts";
import { SoakLoad } from "./load.ts";
import { Samples } from "./samples.ts";
import { verdicts } from "./verdict.ts";

const RESULTS = join(import.meta.dirname, "../results");
const EVERY_MS = 30_000;
/** Lets the samples ask each process to collect its garbage. */
const COLLECT = new URL("./collect.ts", import.meta.url).href;
const EXIT_INTERRUPTED = 130;
const EXIT_USAGE = 64;
/** All of it passes several times within an hour, so that a bound shows. */
const RETENTION = {
  RETAIN_DELTAS: "1m",
  RETAIN_THREADS: "5m",
  RETAIN_FILES: "5m",
  RETAIN_ACTIVITIES: "5m",
  RETAIN_KEYS: "5m",
};

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "60" }, engine: { type: "string", default: "sqlite" } },
});
const ENGINES = ["sqlite", "postgres"];
const minutes = Number(values.minutes);
if (minutes > 0 && ENGINES.includes(values.engine)) {
  process.exitCode = await soak(minutes, values.engine === "postgres");
} else {
  process.stderr.write(`Expected --minutes to be a number, and --engine one of ${ENGINES.join(", ")}.\n`);
  process.exitCode = EXIT_USAGE;
}

async function soak(minutes: number, isOnPostgres: boolean): Promise<number> {
  await using owned = new AsyncDisposableStack();
  const processes = owned.use(new Processes());
  const postgres = isOnPostgres ? owned.use(await TestPostgres.start()) : undefined;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => {
      processes.endAll();
      process.exit(EXIT_INTERRUPTED);
    });
  const report = join(RESULTS, `soak-${Date.now()}`);
  mkdirSync(RESULTS, { recursive: true });
  const model = await startModel(processes);
  const server = owned.use(
    await Evenkeel.start(processes, {
      workers: 2,
      agents: 2,
      modelUrl: model.url,
      env: {
        ...RETENTION,
        CONFIG_DIR: join(import.meta.dirname, "../../chaos/config"),
        LOG_LEVEL: "warn",
        NODE_OPTIONS: `--import ${COLLECT}`,
      },
      output: openSync(`${report}.log`, "a"),
      ...(postgres && { databaseUrl: postgres.url() }),
    }),
  );
  const samples = new Samples({ file: `${report}.jsonl`, server, postgres });
  const load = new SoakLoad(server.url);
  load.start();
  const startedAt = performance.now();
  for (let sample = 1; sample * EVERY_MS <= minutes * 60_000; sample += 1) {
    await sleep(startedAt + sample * EVERY_MS - performance.now());
    await samples.add((performance.now() - startedAt) / 3_600_000);
  }
  await load.stop();
  process.stdout.write(`${load.summary()}\n`);
  const all = verdicts(samples.all);
  for (const { line } of all) process.stdout.write(`${line}\n`);
  process.stdout.write(`samples and log: ${report}.*\n`);
  return load.failures > 0 || all.some(({ is }) => is === "missed") ? 1 : 0;
}
