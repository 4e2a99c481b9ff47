/**
 * Entry of the simulator process. Forked by the primary it lives like any other child; run by hand
 * (`node src/simulator/main.ts --port 8100`) it prints where it listens and ends on SIGTERM or Ctrl-C.
 */
import { runService, type Service } from "../process/lifecycle.ts";
import { connectParent, hasParent } from "../process/parent.ts";
import { readArguments } from "./arguments.ts";
import { startSimulator, type SimulatorOptions } from "./server.ts";

const EX_CONFIG = 78;

const parsed = readArguments(process.argv.slice(2));
if (!("options" in parsed)) {
  complain(parsed.problems.join("\n"));
  process.exit(EX_CONFIG);
} else if (hasParent()) {
  const { options } = parsed;
  const { parent } = await connectParent();
  await runService({
    parent,
    title: "evenkeel simulator",
    start: () => start(options),
    onFatal: complain,
  });
} else {
  const { url } = await startSimulator(parsed.options);
  process.stdout.write(`Simulated model listening on ${url}\n`);
}

async function start(options: SimulatorOptions): Promise<Service> {
  const simulator = await startSimulator(options);
  return { port: simulator.port, inFlight: () => simulator.stats().active, drain: () => simulator.stop() };
}

function complain(problem: unknown): void {
  process.stderr.write(`evenkeel simulator: ${problem instanceof Error ? problem.message : String(problem)}\n`);
}
