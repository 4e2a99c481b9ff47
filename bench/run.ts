/**
 * `npm run bench [-- --quick] [-- --only responsive,run]`: asks one question after the other, prints the
 * table, writes JSON and HTML to bench/results/, and ends with 1 when a limit is missed or a question failed.
 */
import { parseArgs } from "node:util";
import { cannon } from "./cannon.ts";
import { ceiling } from "./ceiling.ts";
import { claims } from "./claims.ts";
import { dashboards } from "./dashboards.ts";
import { frontEnds } from "./front-ends.ts";
import { hold } from "./hold.ts";
import { hotPath } from "./hot-path.ts";
import { writeHtml } from "./html.ts";
import { idle } from "./idle.ts";
import { innocents } from "./innocents.ts";
import { kills } from "./kills.ts";
import { live } from "./live.ts";
import { bounded, reasonOf } from "./lib/bounded.ts";
import { machine } from "./lib/machine.ts";
import { Processes } from "./lib/processes.ts";
import type { Question } from "./lib/row.ts";
import { startModel } from "./lib/servers.ts";
import { machines } from "./machines.ts";
import { noOpRun } from "./no-op-run.ts";
import { overload } from "./overload.ts";
import { postgres } from "./postgres.ts";
import { reads } from "./reads.ts";
import { reconnect } from "./reconnect.ts";
import { recovery } from "./recovery.ts";
import { describe, printTable, writeJson, type Answer, type Report } from "./report.ts";
import { responsive } from "./responsive.ts";
import { restarts } from "./restarts.ts";
import { scale } from "./scale.ts";
import { slow } from "./slow.ts";
import { startup } from "./startup.ts";
import { stream } from "./stream.ts";
import { threads } from "./threads.ts";
import { tools } from "./tools.ts";
import { tune } from "./tune.ts";

const QUESTIONS: Readonly<Record<string, Question>> = {
  responsive,
  autocannon: cannon,
  "hot path": hotPath,
  stream,
  run: noOpRun,
  live,
  dashboards,
  slow,
  reconnect,
  "front ends": frontEnds,
  threads,
  reads,
  tools,
  hold,
  recovery,
  innocents,
  overload,
  kills,
  restarts,
  ceiling,
  startup,
  idle,
  postgres,
  claims,
  machines,
  scale,
  tune,
};
/** Several times what the longest question takes on a quiet machine. */
const LIMIT_MS = { quick: 5 * 60_000, full: 60 * 60_000 };
/** A quick run asks these only by name: they judge nothing, or a test holds what they judge. */
const NOT_IN_QUICK: readonly string[] = ["tune", "claims", "machines", "scale", "reads", "restarts", "ceiling"];
const EXIT_INTERRUPTED = 130;
const EXIT_USAGE = 64;

const { values } = parseArgs({ options: { quick: { type: "boolean" }, only: { type: "string" } } });
const names = namesOf(values.only, values.quick ?? false);
if (names) {
  process.exitCode = await main(values.quick ?? false, names);
} else {
  process.stderr.write(`Expected \`--only\` to list some of: ${Object.keys(QUESTIONS).join(", ")}.\n`);
  process.exitCode = EXIT_USAGE;
}

async function main(quick: boolean, names: readonly string[]): Promise<number> {
  const startedAt = performance.now();
  await using processes = new Processes();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.once(signal, () => {
      processes.endAll();
      process.exit(EXIT_INTERRUPTED);
    });
  }
  const answers: Answer[] = [];
  for (const name of names) {
    const answer = await ask(name, { quick, processes });
    process.stdout.write(describe(answer));
    answers.push(answer);
  }
  const report: Report = {
    machine: machine(),
    quick,
    seconds: (performance.now() - startedAt) / 1_000,
    answers,
  };
  printTable(report);
  process.stdout.write(`\n${writeJson(report)}\n${writeHtml(report)}\n`);
  return answers.every(({ rows, error }) => error === null && rows.every(({ ok }) => ok)) ? 0 : 1;
}

/** A question that fails, or does not end, does not stop the others. */
async function ask(name: string, { quick, processes }: { quick: boolean; processes: Processes }): Promise<Answer> {
  const notes: string[] = [];
  const startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1_000;
  processes.takeWords();
  try {
    const rows = await bounded({ processes, limitMs: quick ? LIMIT_MS.quick : LIMIT_MS.full }, async () => {
      await using model = await startModel(processes);
      const bench = { quick, processes, modelUrl: model.url, note: (text: string) => void notes.push(text) };
      return (await QUESTIONS[name]?.(bench)) ?? [];
    });
    return { question: name, rows, notes, seconds: seconds(), error: null };
  } catch (error) {
    notes.push(...processes.takeWords().map((line) => `Before it failed: ${line}`));
    return { question: name, rows: [], notes, seconds: seconds(), error: reasonOf(error) };
  }
}

/** Undefined when a name is not a question. */
function namesOf(only: string | undefined, quick: boolean): string[] | undefined {
  const all = Object.keys(QUESTIONS);
  const asked = quick ? all.filter((name) => !NOT_IN_QUICK.includes(name)) : all;
  const names = only?.split(",").map((name) => name.trim().replaceAll("-", " ")) ?? asked;
  return names.every((name) => all.includes(name)) ? names : undefined;
}
