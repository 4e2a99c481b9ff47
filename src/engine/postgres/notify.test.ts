/** The bus while Postgres goes away and comes back. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { Link } from "../../testing/link.ts";
import { TestPostgres } from "../../testing/postgres.ts";
import type { BusMessage } from "./bus.ts";
import { NotifyBus } from "./notify.ts";

const CHANNEL = "evenkeel_test";
/** Longer than the bus waits before it connects again. */
const TRIED_AGAIN_MS = 2_500;

test("the bus listens again when it was back too early, on a standby that could not listen yet", async () => {
  await using server = await TestPostgres.start();
  await using bus = openBus(server);
  await bus.listen(CHANNEL);
  const { rows } = await server.admin("SHOW data_directory");
  await server.stop();
  await vi.waitFor(() => expect(bus.isConnected).toBe(false));
  await writeFile(join(String(rows[0]?.data_directory), "standby.signal"), "");
  await server.run();
  await delay(TRIED_AGAIN_MS);
  await expect(bus.listen("evenkeel_other")).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });

  await server.admin("SELECT pg_promote()");

  await vi.waitFor(
    () => {
      bus.publish([{ channel: CHANNEL, payload: "hello" }]);
      expect(bus.heard).toContain("hello");
    },
    { interval: 50, timeout: 8_000 },
  );
  await bus.listen("evenkeel_other");
  expect(bus.isConnected).toBe(true);
});

test("everybody who listens to a channel waits until it is listened to", async () => {
  await using server = await TestPostgres.start();
  await using bus = openBus(server);
  await bus.listen(CHANNEL);
  const done: string[] = [];
  const listen = (who: string) => bus.listen("evenkeel_other").then(() => done.push(who));

  await Promise.all([listen("first"), listen("second")]);

  expect(done).toEqual(["first", "second"]);
});

test("a bus is closed within seconds although its database is away and much waits", async () => {
  await using server = await TestPostgres.start();
  await using link = await Link.open({ port: server.port });
  await using bus = openBus(link);
  await bus.listen(CHANNEL);
  bus.publish([{ channel: CHANNEL, payload: "first" }]);
  await vi.waitFor(() => expect(bus.heard).toContain("first"));
  link.silence();
  bus.publish(Array.from({ length: 10_000 }, () => ({ channel: CHANNEL, payload: "x" })));
  await delay(100);

  const startedAt = performance.now();
  await bus.close();
  expect(performance.now() - startedAt).toBeLessThan(6_000);
});

function openBus({ port }: { readonly port: number }) {
  const url = `postgres://evenkeel@127.0.0.1:${port}/postgres`;
  const heard: string[] = [];
  const onMessage = ({ payload }: BusMessage) => void heard.push(payload);
  const bus = new NotifyBus({ url, onMessage, onLoss: () => {} });
  return Object.assign(bus, { heard, [Symbol.asyncDispose]: () => bus.close() });
}
