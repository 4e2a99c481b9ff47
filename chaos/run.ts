/**
 * `npm run chaos -- --seed N --minutes M --engine sqlite|postgres`: real processes under a mixed load, one random fault every few
 * seconds, and then a check of every run by what its clients saw and its journal says. Prints counts and the seed; exits 1 when
 * a rule was broken. The same seed makes the same choices; how they meet the load is up to the machine.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { ReadEvent } from "../src/testing/journal.ts";
import { seeded } from "../src/testing/random.ts";
import { brokenRules, type Truth } from "./check.ts";
import { FAULTS } from "./faults.ts";
import { Load } from "./load.ts";
import { Site, type EngineName } from "./site.ts";

const LANES = 24;
const FIRST_MS = 2_000;
const EVERY_MS = { from: 2_000, to: 5_000 };
/** From the last fault until every run has to be over. */
const QUIET_MS = 120_000;
const INTERRUPTED = 130;
const USAGE = 64;
const PAGE = 500;
const SHOWN = 20;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 100_000) },
    minutes: { type: "string", default: "1" },
    engine: { type: "string", default: "sqlite" },
    database: { type: "string" },
    only: { type: "string" },
  },
});
const ENGINES: readonly string[] = ["sqlite", "postgres"] satisfies EngineName[];
const [seed, minutes] = [Number(values.seed), Number(values.minutes)];
const known = FAULTS.some(({ name }) => name.includes(values.only ?? ""));
if (known && Number.isSafeInteger(seed) && minutes > 0 && ENGINES.includes(values.engine)) {
  process.exitCode = await chaos(values.engine as EngineName);
} else {
  // Without this a mistyped argument would check nothing, or something else, and find no rule broken.
  process.stderr.write(
    `Expected --seed to be a whole number, --minutes a number, --engine one of ${ENGINES.join(", ")}, and --only a part of a fault's name.\n`,
  );
  process.exitCode = USAGE;
}

async function chaos(engine: EngineName): Promise<number> {
  say(`chaos: seed ${seed}, ${minutes} minutes, ${engine}`);
  await using site = await Site.open(engine, values.database);
  for (const name of ["SIGINT", "SIGTERM"] as const)
    process.once(name, () => void site[Symbol.asyncDispose]().finally(() => process.exit(INTERRUPTED)));
  const trace = join(site.parts.folder, "trace");
  const giveUp = new AbortController();
  const load = new Load({ url: site.server.client.url, random: seeded(seed), trace, giveUp: giveUp.signal });
  load.start(LANES);
  const counts = await strike(site, load, minutes * 60_000);
  const tooLate = setTimeout(() => giveUp.abort(), QUIET_MS);
  await site.ready();
  await load.finish();
  clearTimeout(tooLate);
  const truths = new Map<string, Truth>();
  for (const { runId } of load.stories) {
    const truth = await truthOf(site, runId);
    if (truth) truths.set(runId, truth);
  }
  return report({ load, truths, counts, trace: linesOf(trace), server: site.server.stdout });
}

/** One fault after another, until the time is up. @returns how often each of them struck */
async function strike(site: Site, load: Load, forMs: number): Promise<Map<string, number>> {
  // The faults have their own random numbers, because the number of choices of the load depends on the speed of the
  // server.
  const random = seeded(seed + 1);
  const counts = new Map<string, number>();
  const possible = FAULTS.filter(({ name, why }) => {
    const reason = why?.(site);
    if (reason !== undefined) say(`  not here: ${name} (${reason})`);
    return reason === undefined && (values.only === undefined || name.includes(values.only));
  });
  const startedAt = performance.now();
  await delay(FIRST_MS);
  while (performance.now() - startedAt < forMs) {
    const fault = possible[random(possible.length)];
    if (!fault) throw new Error(`There is no fault like ${values.only}.`);
    say(`  ${((performance.now() - startedAt) / 1_000).toFixed(1)} s  ${fault.name}`);
    await fault.strike({ site, load, random });
    counts.set(fault.name, (counts.get(fault.name) ?? 0) + 1);
    await delay(EVERY_MS.from + random(EVERY_MS.to - EVERY_MS.from));
  }
  return counts;
}

async function truthOf({ server }: Site, runId: string): Promise<Truth | undefined> {
  const { status, body } = await server.client.get(`/api/runs/${runId}`);
  if (status !== 200) return undefined;
  const events: ReadEvent[] = [];
  for (;;) {
    const after = events.at(-1)?.seq ?? 0;
    const page = await server.client.get(`/api/runs/${runId}/events?limit=${PAGE}&after=${after}`);
    events.push(...(page.body["events"] as ReadEvent[]));
    if (page.body["next"] === null) break;
  }
  const error = body["error"] as { readonly code: string } | null;
  return { status: String(body.status), errorCode: error?.code ?? null, reply: body.reply, events };
}

interface Result {
  readonly load: Load;
  readonly truths: ReadonlyMap<string, Truth>;
  readonly counts: ReadonlyMap<string, number>;
  readonly trace: readonly string[];
  readonly server: string;
}

function report({ load: { stories, viewers }, truths, counts, trace, server }: Result): number {
  const broken = brokenRules(stories, truths, trace);
  const ends = Map.groupBy(truths.values(), ({ status }) => status);
  const attempts = [...truths.values()].flatMap(({ events }) =>
    events.filter(({ name }) => name === "evenkeel.claimed"),
  );
  const struck = [...counts].map(([name, count]) => `${count} × ${name}`);
  say(`faults: ${[...counts.values()].reduce((sum, count) => sum + count, 0)} (${struck.join(", ")})`);
  say(`runs: ${stories.length} (${[...ends].map(([status, all]) => `${all.length} ${status}`).join(", ")})`);
  say(`claims: ${attempts.length}; tools begun: ${trace.length}; connections that broke off: ${viewers.resumed}`);
  for (const rule of broken.slice(0, SHOWN)) say(`BROKEN: ${rule}`);
  if (broken.length > 0) say(`the server's last words:\n${server.slice(-6_000)}`);
  say(`rules broken: ${broken.length}; seed ${values.seed}`);
  return broken.length > 0 ? 1 : 0;
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, "utf8").trimEnd().split("\n");
  } catch {
    return [];
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
