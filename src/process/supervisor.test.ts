import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FakeProcess } from "../testing/fake-child.ts";
import type { Snapshot } from "./protocol.ts";
import { Supervisor } from "./supervisor.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

async function startTwo() {
  const forked: FakeProcess[] = [];
  const fork = () => {
    const process = new FakeProcess(forked.length + 1);
    forked.push(process);
    return process.child();
  };
  const supervisor = new Supervisor({
    stallMs: 5_000,
    drainMs: 1_000,
    gauges: () => ({ runs_running: 3 }),
    onDeath: () => {},
    onReturn: () => {},
    onHopeless: () => {},
  });
  const started = supervisor.start({ kind: "worker", count: 2, fork });
  for (const process of forked) process.say({ type: "ready" });
  await started;
  const dispose = async () => {
    supervisor.killAll();
    await supervisor.stop([]);
  };
  return { forked, [Symbol.asyncDispose]: dispose };
}

function snapshotsOf(process: FakeProcess | undefined): Snapshot[] {
  return (process?.sent ?? []).flatMap((message) => (message.type === "snapshot" ? [message.snapshot] : []));
}

test("every worker gets the same snapshot each second, with a seq that grows and the primary's gauges", async () => {
  await using tree = await startTwo();

  await vi.advanceTimersByTimeAsync(3_000);

  const [first, second] = tree.forked.map(snapshotsOf);
  const last = first?.at(-1);
  expect(second?.at(-1)).toEqual(last);
  expect(last).toMatchObject({ at: Date.now(), processes: [{ kind: "primary", gauges: { runs_running: 3 } }, {}, {}] });
  const seqs = first?.map(({ seq }) => seq) ?? [];
  expect(seqs.length).toBeGreaterThanOrEqual(3);
  expect(seqs).toEqual([...new Set(seqs)].toSorted((a, b) => a - b));
});

test("a death is shared without waiting for the next second, and so is the child that takes over", async () => {
  await using tree = await startTwo();
  tree.forked[0]?.exit(null, "SIGKILL");
  await vi.advanceTimersByTimeAsync(50);
  const [, dead] = snapshotsOf(tree.forked[1]).at(-1)?.processes ?? [];
  await vi.advanceTimersByTimeAsync(200);
  tree.forked[2]?.say({ type: "ready" });
  await vi.advanceTimersByTimeAsync(50);
  const [, next] = snapshotsOf(tree.forked[1]).at(-1)?.processes ?? [];

  expect(dead).toMatchObject({ state: "restarting", pid: null, last_exit: { reason: "SIGKILL" } });
  expect(next).toMatchObject({ state: "ready", pid: 3, restarts: 1, last_exit: { reason: "SIGKILL" } });
});

test("what changes at the same time is one snapshot", async () => {
  await using tree = await startTwo();
  await vi.advanceTimersByTimeAsync(100);
  const before = snapshotsOf(tree.forked[1]).length;

  for (const process of tree.forked) process.say({ type: "failed", detail: "disk full" });
  for (const process of tree.forked.slice(0, 2)) process.exit(70);
  await vi.advanceTimersByTimeAsync(50);

  const [last, ...more] = snapshotsOf(tree.forked[1]).slice(before);
  expect(more).toEqual([]);
  expect(last?.processes.map((process) => process.last_exit?.reason)).toEqual([undefined, "disk full", "disk full"]);
});
