/** The bus over Redis while Redis is there, comes late, goes away, hangs and refuses. */
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { describe, expect, test, vi } from "vitest";
import { needs } from "../../testing/program.ts";
import { TestRedis } from "../../testing/redis.ts";
import type { BusMessage } from "./bus.ts";
import { RedisBus } from "./redis.ts";

const CHANNEL = "evenkeel_test";
/** `listen` is part of opening a stream, so that a bus that is away must not hold it up. */
const AT_ONCE_MS = 500;
/** A connection is tried again within a second, and one that hangs is found out within three. */
const BACK_MS = 4_000;

describe("the Redis bus", needs("redis-server"), () => {
  test("carries messages in order to each who listens to their channel, and to no other database", async () => {
    await using redis = await TestRedis.start();
    await using sender = await openBus(redis.url);
    await using listener = await openBus(redis.url);
    await using elsewhere = await openBus(redis.url, { space: "2" });
    await Promise.all([listener.listen(CHANNEL), elsewhere.listen(CHANNEL), sender.listen("evenkeel_other")]);

    const payloads = Array.from({ length: 1_200 }, (_, index) => `${index} ä😀 two\nlines ${"x".repeat(index)}`);
    for (const payload of payloads) sender.publish([{ channel: CHANNEL, payload }]);

    await vi.waitFor(() => expect(listener.heard).toHaveLength(payloads.length), { timeout: 5_000 });
    expect(listener.heard).toEqual(payloads);
    expect([...elsewhere.heard, ...sender.heard]).toEqual([]);
    expect(listener.notice()).toBeUndefined();
  });

  test("sends what is published before its first connection stands", async () => {
    await using redis = await TestRedis.start();
    await using listener = await openBus(redis.url);
    await listener.listen(CHANNEL);
    const sender = await openBus(redis.url, { waits: false });

    sender.publish([{ channel: CHANNEL, payload: "at once" }]);
    await sender.close();

    await vi.waitFor(() => expect(listener.heard).toEqual(["at once"]));
  });

  test("does without a Redis that is not there yet, and takes it when it comes", async () => {
    await using redis = await TestRedis.start({ isRunning: false });
    await using bus = await openBus(redis.url, { waits: false });
    const startedAt = performance.now();
    await bus.listen(CHANNEL);
    bus.publish([{ channel: CHANNEL, payload: "lost" }]);
    expect(performance.now() - startedAt).toBeLessThan(AT_ONCE_MS);
    expect(await noticeOf(bus)).toContain(
      `Redis at 127.0.0.1:${redis.port} does not carry the news (connect ECONNREFUSED`,
    );

    await redis.run();

    await bus.untilHeard("hello");
    expect(bus.looks).toHaveLength(1);
    expect(bus.notice()).toContain("carries the news again, after ");
    expect(bus.heard).not.toContain("lost");
  });

  test("is back by itself after a crash of Redis, and says each change once", async () => {
    await using redis = await TestRedis.start();
    await using bus = await openBus(redis.url);
    await bus.listen(CHANNEL);
    expect(bus.isConnected).toBe(true);
    await redis.kill();
    expect(await noticeOf(bus)).toContain("does not carry the news");
    expect(bus.isConnected).toBe(false);
    await delay(1_500);
    expect(bus.notice()).toBeUndefined();
    await bus.listen("evenkeel_other");

    await redis.run();

    await bus.untilHeard("hello");
    await bus.untilHeard("hello too", "evenkeel_other");
    expect(bus.looks).toHaveLength(2);
    expect(bus.isConnected).toBe(true);
    expect([bus.notice(), bus.notice()]).toEqual([expect.stringContaining("carries the news again"), undefined]);
  });

  test("is held up by nothing while Redis hangs, and is back when Redis goes on", async () => {
    await using redis = await TestRedis.start();
    await using bus = await openBus(redis.url);
    await bus.listen(CHANNEL);
    redis.hang();

    const startedAt = performance.now();
    await bus.listen("evenkeel_other");
    expect(performance.now() - startedAt).toBeLessThan(AT_ONCE_MS);
    bus.publish(Array.from({ length: 10_000 }, () => ({ channel: CHANNEL, payload: "x".repeat(10_000) })));
    expect(await noticeOf(bus)).toContain("Command timed out");
    expect(bus.isConnected).toBe(false);
    redis.goOn();

    await bus.untilHeard("hello", "evenkeel_other");
    expect(await noticeOf(bus)).toContain("carries the news again");
  });

  test("is closed within seconds although Redis hangs", async () => {
    await using redis = await TestRedis.start();
    await using bus = await openBus(redis.url);
    redis.hang();
    bus.publish([{ channel: CHANNEL, payload: "x" }]);
    await delay(50);

    const startedAt = performance.now();
    await bus.close();
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  test("says what Redis refuses, without the password, and does not storm Redis", async () => {
    await using redis = await TestRedis.start({ settings: ["--requirepass", "right-password"] });
    const admin = new Redis(redis.url.replace("//", "//:right-password@"));
    try {
      await admin.call("ACL", "SETUSER", "reader", "on", ">its-password", "resetchannels", "+@all");
      await using refused = await openBus(redis.url.replace("//", "//:wrong-password@"), { waits: false });
      await using reader = await openBus(redis.url.replace("//", "//reader:its-password@"), { waits: false });
      await reader.listen(CHANNEL);

      expect(await noticeOf(refused)).toContain("WRONGPASS");
      expect(await noticeOf(reader)).toContain("NOPERM");
      await delay(3_000);
      expect([refused.notice(), reader.notice()]).toEqual([undefined, undefined]);
      const [, connections] = /total_connections_received:(\d+)/.exec(await admin.info("stats")) ?? [];
      expect(Number(connections)).toBeLessThan(15);

      await admin.call("ACL", "SETUSER", "reader", "allchannels");
      await reader.untilHeard("hello");
      expect(await noticeOf(reader)).toContain("carries the news again");
    } finally {
      admin.disconnect();
    }
  });
});

/** @param waits whether the bus is connected before the test goes on */
async function openBus(url: string, { space = "1", waits = true } = {}) {
  const heard: string[] = [];
  const looks: number[] = [];
  const onMessage = ({ payload }: BusMessage) => void heard.push(payload);
  const bus = new RedisBus({ url, space, onMessage, onLoss: () => void looks.push(performance.now()) });
  const untilHeard = (payload: string, channel = CHANNEL) =>
    vi.waitFor(
      () => {
        bus.publish([{ channel, payload }]);
        expect(heard).toContain(payload);
      },
      { interval: 20, timeout: BACK_MS },
    );
  if (waits) await vi.waitUntil(() => looks.length > 0, { interval: 5 });
  return Object.assign(bus, { heard, looks, untilHeard, [Symbol.asyncDispose]: () => bus.close() });
}

async function noticeOf(bus: RedisBus): Promise<string> {
  return vi.waitFor(
    () => {
      const notice = bus.notice();
      expect(notice).toBeDefined();
      return notice as string;
    },
    { interval: 20, timeout: BACK_MS },
  );
}
