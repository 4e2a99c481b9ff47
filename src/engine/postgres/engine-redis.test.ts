/** The parts of the contract in which one process hears of another one's commits, with Redis as the bus. */
import { afterAll, describe } from "vitest";
import { needs } from "../../testing/program.ts";
import { TestRedis } from "../../testing/redis.ts";
import { testCancel } from "../contract/cancel.contract.ts";
import { testClaim } from "../contract/claim.contract.ts";
import { testFollow } from "../contract/follow.contract.ts";
import { databases, settingsAt } from "./test-data.ts";

describe("Postgres engine with Redis", needs("redis-server"), () => {
  let redis: Promise<TestRedis> | undefined;
  afterAll(async () => (await redis)?.kill());
  const { open } = databases(async (server, name) => {
    const { url: redisUrl } = await (redis ??= TestRedis.start());
    return { ...settingsAt(server.url(name)), redisUrl };
  });

  describe("claim", () => {
    testClaim(open);
  });
  describe("cancel", () => {
    testCancel(open);
  });
  describe("following", () => {
    testFollow(open);
  });
});
