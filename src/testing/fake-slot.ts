/** A slot whose children do what the test says. Called by the tests of src/process, with fake timers. */
import { vi } from "vitest";
import type { Death, SlotEvents } from "../process/slot-options.ts";
import { Slot } from "../process/slot.ts";
import { FakeProcess } from "./fake-child.ts";

interface Made {
  readonly maxBootFailures?: number;
  /** False: the forks fail, so that no process has a pid. */
  readonly pids?: boolean;
}

export function makeSlot({ maxBootFailures = 4, pids = true }: Made = {}) {
  const forked: FakeProcess[] = [];
  const onDeath = vi.fn<(slot: Slot, death: Death) => void>();
  const onHopeless = vi.fn<(slot: Slot, reason: string) => void>();
  const fork = () => {
    const process = new FakeProcess(pids ? forked.length + 1 : 0);
    forked.push(process);
    return process.child();
  };
  const onReturn = vi.fn<(slot: Slot, pid: number) => void>();
  const onSlow = vi.fn<SlotEvents["onSlow"]>();
  const events = { onDeath, onReturn, onSlow, onHopeless, onChange: vi.fn<() => void>() };
  const slot = new Slot({ kind: "worker", id: 1, stallMs: 5_000, maxBootFailures, fork, ...events });
  const newest = () => {
    const process = forked.at(-1);
    if (!process) throw new Error("Nothing was forked.");
    return process;
  };
  return { slot, forked, newest, onDeath, onReturn, onSlow, onHopeless };
}

/** Lets the promises that are settled have their effect. */
export const settle = () => vi.advanceTimersByTimeAsync(0);
