import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FakeServices } from "../live/fake-services.ts";
import { LiveRun } from "./live-run.ts";

let server: FakeServices;

beforeEach(() => {
  server = new FakeServices();
  vi.useFakeTimers();
  vi.stubGlobal("requestAnimationFrame", (work: () => void) => setTimeout(work, 16));
  vi.stubGlobal("cancelAnimationFrame", clearTimeout);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function say(seq: number, text: string): void {
  const base = { messageId: "m", timestamp: seq };
  server.tellRun("r", { ...base, type: "TEXT_MESSAGE_START", role: "assistant", seq });
  server.tellRun("r", { ...base, type: "TEXT_MESSAGE_CONTENT", delta: text, seq: seq + 1 });
}

test("a run whose id another server uses again is told from its beginning", () => {
  const live = new LiveRun(server.live, "r");
  live.start();
  say(40, "The old answer");
  vi.runAllTimers();
  const before = live.revision.value;

  server.restarted();
  say(1, "The new one");
  vi.runAllTimers();

  expect(live.view.items.map((item) => item.kind === "text" && item.text)).toEqual(["The new one"]);
  expect([live.view.lastSeq, live.revision.value]).toEqual([2, before + 1]);
});
