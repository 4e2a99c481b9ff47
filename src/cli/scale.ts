/** `evenkeel scale workers=4 agents=2`: more or fewer processes of a running server. */
import { MAX_PROCESSES } from "../core/limits.ts";
import { CliError, connect, type ServerOptions } from "./connection.ts";

type Count = number | "default";
type Counts = Partial<Record<"workers" | "agents", Count>>;

export async function scale(wanted: readonly string[], server: ServerOptions): Promise<void> {
  const given = wanted.map(countOf);
  const counts = Object.fromEntries(given) as Counts;
  if (Object.keys(counts).length < given.length)
    throw new CliError(`Expected each kind of process once, got ${wanted.join(" ")}.`);
  await connect(server).scale(counts);
  const said = Object.entries(counts).map(([kind, count]) =>
    count === "default" ? `as many ${kind} as the settings say` : `${count} ${kind}`,
  );
  process.stdout.write(`there will be ${said.join(" and ")}\n`);
}

/** @throws CliError */
function countOf(text: string): readonly [kind: string, count: Count] {
  const [, kind, wanted] = /^(workers|agents)=(\d+|default)$/.exec(text) ?? [];
  if (kind !== undefined && wanted === "default") return [kind, wanted];
  const count = Number(wanted);
  if (kind !== undefined && count >= 1 && count <= MAX_PROCESSES) return [kind, count];
  throw new CliError(
    `Expected workers=N or agents=N, where N is a whole number from 1 to ${MAX_PROCESSES}, or "default"; got ${JSON.stringify(text)}.`,
  );
}
