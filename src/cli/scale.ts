/** `evenkeel scale workers=4 agents=2`: more or fewer processes of a running server. */
import { CliError, connect, type ServerOptions } from "./connection.ts";

type Counts = Partial<Record<"workers" | "agents", number>>;

export async function scale(wanted: readonly string[], server: ServerOptions): Promise<void> {
  const counts: Counts = Object.assign({}, ...wanted.map(countOf));
  await connect(server).scale(counts);
  const said = Object.entries(counts).map(([kind, count]) => `${count} ${kind}`);
  process.stdout.write(`there will be ${said.join(" and ")}\n`);
}

/** @throws CliError */
function countOf(text: string): Counts {
  const [, kind, count] = /^(workers|agents)=(\d{1,3})$/.exec(text) ?? [];
  if (kind === undefined) throw new CliError(`expected workers=N or agents=N, got ${JSON.stringify(text)}`);
  return { [kind]: Number(count) };
}
