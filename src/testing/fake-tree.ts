/** A supervisor with processes that do what the test says. Called by the tests of src/process, with fake timers. */
import { vi } from "vitest";
import type { ChildKind, Snapshot } from "../process/protocol.ts";
import { Supervisor } from "../process/supervisor.ts";
import { FakeProcess } from "./fake-child.ts";

export const VITALS = {
  rss_bytes: 1,
  cpu_percent: 2,
  busy_percent: 7,
  cpu_granted_percent: 100,
  lag_ms: { p50: 3, p99: 4 },
  in_flight: 5,
};

/** @returns a tree of `count` workers that are ready. `forked` has all processes of the tree, the oldest first */
export async function startTree(count = 2, bounds = { min: count, max: count }) {
  const forked: FakeProcess[] = [];
  const fork = () => {
    const process = new FakeProcess(forked.length + 1);
    forked.push(process);
    return process.child();
  };
  const hopeless = vi.fn<(reason: string) => void>();
  const supervisor = new Supervisor({
    machine: { machine: "here", version: "1.0.0" },
    others: () => [],
    stallMs: 5_000,
    drainMs: 1_000,
    leaveMs: () => 60_000,
    shrinkMs: 60_000,
    gauges: () => ({ runs_running: 3 }),
    onDeath: () => {},
    onReturn: () => {},
    onSlow: () => {},
    onHeavy: () => {},
    onResize: () => {},
    onHopeless: hopeless,
  });
  /** One more process of another kind, which is ready. */
  const add = async (kind: ChildKind) => {
    const started = supervisor.start({ kind, count: 1, fork });
    forked.at(-1)?.say({ type: "ready" });
    await started;
  };
  const started = supervisor.start({ kind: "worker", count, fork, size: { bounds: () => bounds, cores: () => 16 } });
  for (const process of forked) process.say({ type: "ready" });
  await started;
  const dispose = async () => {
    supervisor.kill();
    supervisor.stop();
  };
  return { supervisor, forked, hopeless, add, [Symbol.asyncDispose]: dispose };
}

export function snapshotsOf(process: FakeProcess | undefined): Snapshot[] {
  return (process?.sent ?? []).flatMap((message) => (message.type === "snapshot" ? [message.snapshot] : []));
}

/** All processes send heartbeats for some seconds; each worker is `busy_percent` busy. */
export async function beatFor(seconds: number, forked: readonly FakeProcess[], busy_percent: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    for (const process of forked) process.say({ type: "heartbeat", vitals: { ...VITALS, busy_percent }, gauges: {} });
    await vi.advanceTimersByTimeAsync(1_000);
  }
}
