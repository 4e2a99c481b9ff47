/** Forks that the operating system refuses. */
import { expect, test } from "vitest";
import { forkPlain, forkWorker, type ForkOptions } from "./fork.ts";
import { Slot } from "./slot.ts";

/** More than Linux and macOS take: Node throws this refusal, as it throws ENOMEM, and emits no event. */
const TOO_LONG = ["x".repeat(3_000_000)];

test.each([
  ["a worker", forkWorker],
  ["an agent", forkPlain],
])("%s that cannot be forked has died of that reason, and is tried again", async (_, fork: typeof forkPlain) => {
  const reasons: (string | undefined)[] = [];
  const hopeless = Promise.withResolvers<string>();
  const options: ForkOptions = { entry: "none.ts", args: TOO_LONG, settings: {} };
  const slot = new Slot({
    kind: "agent",
    id: 1,
    stallMs: 5_000,
    maxBootFailures: 2,
    fork: () => fork(options),
    onDeath: (_slot, { exit }) => void reasons.push(exit.detail),
    onHopeless: (_slot, reason) => hopeless.resolve(reason),
    onReturn: () => {},
    onSlow: () => {},
    onChange: () => {},
  });
  void slot.start();

  expect(await hopeless.promise).toContain("E2BIG");
  expect(reasons).toEqual([expect.stringContaining("E2BIG"), expect.stringContaining("E2BIG")]);
});
