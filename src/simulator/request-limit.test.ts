import { expect, test } from "vitest";
import { startSimulator } from "./server.ts";

const BODY = { model: "m", max_tokens: 10, messages: [{ role: "user", content: "/sim tokens=1" }] };

test("requests above the limit are refused with the time to wait, and every answer says what is left", async () => {
  const limit = { requestsPerMinute: 2 };
  await using simulator = await startSimulator({ pace: { ttftMs: 0, tokensPerSecond: 0 }, limit });
  const ask = () =>
    fetch(`${simulator.url}/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": "k", "content-type": "application/json" },
      body: JSON.stringify(BODY),
    });

  const answers = [await ask(), await ask(), await ask()];

  expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
  const left = answers.map(({ headers }) => headers.get("anthropic-ratelimit-requests-remaining"));
  expect(left).toEqual(["1", "0", "0"]);
  expect(answers[2]?.headers.get("retry-after")).toBe("30");
  expect(await answers[2]?.json()).toMatchObject({ error: { type: "rate_limit_error" } });
});
