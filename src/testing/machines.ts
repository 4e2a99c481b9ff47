/** Several servers on one Postgres, and what tests ask about them. */
import { makePlace, Server } from "./server.ts";
import type { ReadEvent } from "./journal.ts";
import { descendantsOf } from "./processes.ts";
import { readSse, type SseEvent } from "./sse.ts";

export const CLAIMED = "evenkeel.claimed";

/** A server for each of these environments, with one worker and one agent. */
export async function startMachines(
  environments: readonly Record<string, string>[],
): Promise<{ readonly all: Server[] } & AsyncDisposable> {
  await using starting = new AsyncDisposableStack();
  const all: Server[] = [];
  for (const environment of environments) {
    const place = starting.use(await makePlace());
    const env = { ...environment, WORKERS: "1", AGENTS: "1" };
    all.push(await starting.use(new Server(place, { env })).ready());
  }
  const started = starting.move();
  return { all, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

/** The agents of a machine, as claims name them. */
export async function agentsOf(server: Server): Promise<string[]> {
  return (await server.processes("agent")).map(({ id, pid }) => `agent-${id}-${pid}`);
}

/** Of the first claim; empty when there is none. */
export function ownerOf(events: readonly ReadEvent[]): string {
  const claim = events.find(({ name }) => name === CLAIMED);
  return (claim?.value?.["owner"] as string | undefined) ?? "";
}

/** Kills all processes of a machine at once, as a power failure does. */
export function killTree(server: Server): void {
  for (const pid of [...descendantsOf(server.pid), server.pid]) process.kill(pid, "SIGKILL");
}

/** Reads on behind what was seen, to the end of the run or until the connection breaks. */
export async function readOn({ client }: Pick<Server, "client">, runId: string, seen: SseEvent[]): Promise<void> {
  const last = seen.at(-1)?.id ?? 0;
  try {
    const response = await client.follow(runId, last > 0 ? { "Last-Event-ID": String(last) } : {});
    for await (const item of readSse(response, last)) seen.push(item);
  } catch (error) {
    // fetch throws a TypeError when a connection was cut.
    if (!(error instanceof TypeError)) throw error;
  }
}
