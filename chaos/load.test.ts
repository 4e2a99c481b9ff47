import { setImmediate as nextTick } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import { Evenkeel, EvenkeelError } from "../src/client/client.ts";
import { Load } from "./load.ts";

test("a lane that fails during the faults ends chaos in order, so that its server is stopped", async () => {
  const unhandled = vi.fn<(reason: unknown) => void>();
  process.on("unhandledRejection", unhandled);
  onTestFinished(() => void process.off("unhandledRejection", unhandled));
  const code = "INVALID_REQUEST";
  const problem = { type: "", title: "", status: 400, code, detail: "no such agent", request_id: "" } as const;
  const begin = vi.spyOn(Evenkeel.prototype, "begin").mockRejectedValue(new EvenkeelError(problem));
  onTestFinished(() => begin.mockRestore());
  const { signal: giveUp } = new AbortController();
  const load = new Load({ url: "http://127.0.0.1:1", random: () => 0, trace: "trace", giveUp });

  load.start(1);
  load.harm("tool=exit_inline input={}");
  await nextTick();
  await nextTick();

  expect(unhandled).not.toHaveBeenCalled();
  await expect(load.finish()).rejects.toThrow("no such agent");
});
