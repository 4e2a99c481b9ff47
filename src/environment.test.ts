import { afterEach, expect, test, vi } from "vitest";
import { isPassedOn, programEnv, withVariables } from "./environment.ts";

afterEach(() => void vi.unstubAllEnvs());

test.each(["PATH", "HOME", "LANG", "LC_ALL", "LC_TIME", "TZ", "TMPDIR", "NODE_OPTIONS", "NODE_EXTRA_CA_CERTS"])(
  "%s is passed on to every process",
  (name) => expect(isPassedOn(name)).toBe(true),
);

test.each([
  "API_KEYS",
  "ANTHROPIC_API_KEY",
  "DATABASE_URL",
  "REDIS_URL",
  "NODE_AUTH_TOKEN",
  "NODE_CHANNEL_FD",
  "HTTPS_PROXY",
  "path",
])("%s is passed on to no process", (name) => expect(isPassedOn(name)).toBe(false));

test("a program sees what is passed on, and what the operator names for it", () => {
  vi.stubEnv("TZ", "UTC");
  vi.stubEnv("SOME_SECRET", "canary");

  const env = programEnv(["STRIPE_KEY", "MISSING"], { STRIPE_KEY: "sk", OTHER: "canary" });

  expect(env).toMatchObject({ TZ: "UTC", STRIPE_KEY: "sk" });
  expect(Object.keys(env)).not.toContain("MISSING");
  expect(Object.values(env)).not.toContain("canary");
});

const look = async () => process.env["STRIPE_KEY"];

const fail = async () => {
  throw new Error(`loaded with ${process.env["STRIPE_KEY"]}`);
};

test("configuration sees the operator's variables while it loads, also when it fails, and nobody does afterwards", async () => {
  expect(await withVariables({ STRIPE_KEY: "sk" }, look)).toBe("sk");
  await expect(withVariables({ STRIPE_KEY: "sk" }, fail)).rejects.toThrow("loaded with sk");

  expect(process.env["STRIPE_KEY"]).toBeUndefined();
});
