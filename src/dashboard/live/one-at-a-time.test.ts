import { expect, test } from "vitest";
import { OneAtATime } from "./one-at-a-time.ts";

test("whoever asks while a request is under way gets one more after it, however many asked", async () => {
  const gates: PromiseWithResolvers<void>[] = [];
  const requests = new OneAtATime(() => {
    const gate = Promise.withResolvers<void>();
    gates.push(gate);
    return gate.promise;
  });
  for (let asked = 0; asked < 5; asked += 1) requests.request();
  expect(gates).toHaveLength(1);

  gates[0]?.resolve();
  await expect.poll(() => gates.length).toBe(2);
  gates[1]?.resolve();
  await Promise.resolve();
  requests.request();

  await expect.poll(() => gates.length).toBe(3);
});
