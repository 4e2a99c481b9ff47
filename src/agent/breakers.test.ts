import { expect, test, vi } from "vitest";
import { Breakers } from "./breakers.ts";

const NEVER = new AbortController().signal;

async function open(breakers: Breakers, model: string): Promise<void> {
  while (!breakers.of(model).isOpen) (await breakers.of(model).enter(NEVER)).failed(new Error("down"));
}

test("a model in trouble stops its own calls, not those of another", async () => {
  vi.useFakeTimers();
  const breakers = new Breakers();

  await open(breakers, "large");

  expect(breakers.of("large").isOpen).toBe(true);
  await expect(breakers.of("small").enter(NEVER)).resolves.toBeDefined();
  breakers.stop();
  vi.useRealTimers();
});

test("the gauges count the open ones, and say when the first of them tries again", async () => {
  vi.useFakeTimers();
  const breakers = new Breakers();
  expect(breakers.read()).toEqual({ model_breaker_open: 0, model_breaker_ms: 0 });

  await open(breakers, "large");
  await open(breakers, "small");

  const first = Math.min(breakers.of("large").waitMs, breakers.of("small").waitMs);
  expect(breakers.read()).toEqual({ model_breaker_open: 2, model_breaker_ms: Math.round(first) });
  breakers.stop();
  vi.useRealTimers();
});
