/** What the supervisor does when its processes are replaced, drained, or change in number. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { beatFor, snapshotsOf, startTree } from "../testing/fake-tree.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** A worker asks for a number of processes. */
function ask({ forked }: Tree, about: string): void {
  forked[0]?.say({ type: "request", request: { to: "primary", name: "scale", about } });
}

type Tree = Awaited<ReturnType<typeof startTree>>;

const settle = () => vi.advanceTimersByTimeAsync(0);

test("one kind is replaced after the other: the next one is forked when the first serves", async () => {
  await using tree = await startTree(1);
  await tree.add("agent");

  const replaced = tree.supervisor.replace(["worker", "agent"]);
  await settle();
  expect(tree.forked).toHaveLength(3);
  tree.forked[2]?.say({ type: "ready" });
  await settle();
  expect(tree.forked).toHaveLength(4);
  tree.forked[3]?.say({ type: "ready" });

  await replaced;
});

test("when one replacement fails, the others are killed and the old processes go on", async () => {
  await using tree = await startTree();

  const replaced = tree.supervisor.replace(["worker"]);
  await settle();
  tree.forked[2]?.say({ type: "ready" });
  tree.forked[3]?.exit(1);

  await expect(replaced).rejects.toThrow("before it was ready");
  expect(tree.forked.map(({ signal }) => signal)).toEqual([null, null, "SIGKILL", null]);
  expect(tree.forked.slice(0, 2).flatMap(({ sent }) => sent)).not.toContainEqual(
    expect.objectContaining({ type: "drain" }),
  );
});

test("replacements that are asked for while one waits for its turn are one", async () => {
  await using tree = await startTree(1);

  const asked = Array.from({ length: 5 }, () => tree.supervisor.replace(["worker"]));
  await settle();
  const later = Array.from({ length: 5 }, () => tree.supervisor.replace(["worker"]));
  for (const index of [1, 2]) {
    tree.forked[index]?.say({ type: "ready" });
    await settle();
  }

  await Promise.all([...asked, ...later]);
  expect(tree.forked).toHaveLength(3);
});

test("while the tree drains nothing is forked: for no death, for no load, and for nobody who asks", async () => {
  await using tree = await startTree(2, { min: 2, max: 8 });
  await tree.add("agent");
  await beatFor(9, tree.forked, 100);
  await vi.advanceTimersByTimeAsync(500);

  const drained = tree.supervisor.drain([["worker"], ["agent"]]);
  tree.forked[2]?.exit(1);
  tree.supervisor.adjust("agent", 1);
  ask(tree, "worker=4");
  // The number of processes is looked at every ten seconds, and so within this drain.
  await vi.advanceTimersByTimeAsync(900);
  await vi.advanceTimersByTimeAsync(10_000);
  await drained;

  expect(tree.forked).toHaveLength(3);
});

test("a kind whose turn to start comes while the tree drains is not forked", async () => {
  await using tree = await startTree(1);

  const drained = tree.supervisor.drain([["worker"], ["agent"]]);
  void tree.add("agent");
  await settle();

  expect(tree.forked).toHaveLength(1);
  tree.forked[0]?.exit(0);
  await drained;
});

test("after a change of the number the load is measured for a minute anew", async () => {
  await using tree = await startTree(2, { min: 2, max: 8 });
  await beatFor(61, tree.forked, 90);
  expect(tree.forked).toHaveLength(4);
  for (const process of tree.forked.slice(2)) process.say({ type: "ready" });

  await beatFor(50, tree.forked, 90);

  expect(tree.forked).toHaveLength(4);
});

test("a worker that boots does not make the others look less busy", async () => {
  await using tree = await startTree(3, { min: 2, max: 8 });
  tree.forked[2]?.exit(1);
  await settle();

  for (let second = 0; second < 61; second += 1) {
    await beatFor(1, tree.forked.slice(0, 2), 90);
    if (second % 20 === 19) tree.forked.at(-1)?.exit(1);
  }

  expect(snapshotsOf(tree.forked[0]).at(-1)?.marks).toContainEqual(
    expect.objectContaining({ type: "scale", detail: "3 → 5 workers: workers 90 % busy" }),
  );
});

test("the last process of a kind cannot be taken away by hand, nor are there more than 256", async () => {
  await using tree = await startTree(1, { min: 1, max: 2 });

  tree.supervisor.adjust("worker", -1);
  expect(tree.forked[0]?.sent).not.toContainEqual(expect.objectContaining({ type: "drain" }));

  ask(tree, "worker=999");
  expect(tree.forked).toHaveLength(256);
});

test("processes that still leave count towards the 256, and what finds no room comes when they are gone", async () => {
  await using tree = await startTree(2, { min: 1, max: 2 });
  ask(tree, "worker=200");
  for (const child of tree.forked.slice(2)) child.say({ type: "ready" });
  await settle();
  ask(tree, "worker=1");
  ask(tree, "worker=200");
  expect(tree.forked).toHaveLength(256);

  for (const child of tree.forked.slice(1, 200)) child.exit(0);
  await beatFor(11, tree.forked.slice(0, 1), 0);
  expect(tree.forked).toHaveLength(200 + 199);
});

test("after a number by hand, the settings decide again when they are asked to", async () => {
  await using tree = await startTree(2, { min: 1, max: 3 });
  ask(tree, "worker=6");
  for (const child of tree.forked.slice(2)) child.say({ type: "ready" });
  ask(tree, "worker=default");
  await beatFor(11, tree.forked, 50);

  expect(snapshotsOf(tree.forked[0]).at(-1)?.marks).toMatchObject([
    { type: "scale", detail: "2 → 6 workers: by hand" },
    { type: "scale", detail: "6 → 3 workers: 3 is the most" },
  ]);
});

test("a child that stalls, answers and stalls again has two marks", async () => {
  await using tree = await startTree();

  for (const seconds of [4, 1, 4]) {
    if (seconds === 1) await beatFor(1, tree.forked, 7);
    else await beatFor(seconds, tree.forked.slice(1), 7);
  }

  const marks = snapshotsOf(tree.forked[1]).at(-1)?.marks;
  expect(marks?.map(({ type, process }) => [type, process])).toEqual([
    ["stall", "worker 1"],
    ["stall", "worker 1"],
  ]);
});

test("nobody is killed for a silence in which the primary itself slept", async () => {
  await using tree = await startTree();
  await beatFor(2, tree.forked, 7);
  const awake = performance.now.bind(performance);

  vi.spyOn(performance, "now").mockImplementation(() => awake() + 3_600_000);
  await vi.advanceTimersByTimeAsync(1_000);
  await vi.advanceTimersByTimeAsync(3_000);

  expect(tree.forked.map(({ signal }) => signal)).toEqual([null, null]);
});

test("nobody is killed for a boot during which the primary itself slept", async () => {
  await using tree = await startTree();
  void tree.supervisor.replace(["worker"]);
  await vi.advanceTimersByTimeAsync(0);
  expect(tree.forked).toHaveLength(4);
  await beatFor(28, tree.forked.slice(0, 2), 7);
  const awake = performance.now.bind(performance);

  vi.spyOn(performance, "now").mockImplementation(() => awake() + 3_600_000);
  await beatFor(3, tree.forked.slice(0, 2), 7);

  expect(tree.forked.map(({ signal }) => signal)).toEqual([null, null, null, null]);
});
