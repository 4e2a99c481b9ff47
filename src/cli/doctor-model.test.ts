import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { defineAgents } from "../core/agent.ts";
import { lookAtModel } from "./doctor-model.ts";

const agents = defineAgents({
  good: { model: "claude-known" },
  typo: { model: "claude-known", fallbackModel: "claude-knwon" },
});
const KEY = "sk-ant-a-long-secret-key";

/** An endpoint that answers each path with a status. */
async function endpoint(statusOf: (path: string, headers: IncomingHttpHeaders) => number) {
  const server = createServer(({ url = "", headers }, response) =>
    response.writeHead(statusOf(url, headers)).end("{}"),
  );
  await once(server.listen(0, "127.0.0.1"), "listening");
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const settings = { simulated: false, apiKey: KEY, baseUrl, authorization: null, proxy: {} };
  return { settings, [Symbol.dispose]: () => server.close() };
}

test("an endpoint that knows all models is fine, and is sent the key as the server sends it", async () => {
  using model = await endpoint((_path, headers) => (headers.authorization === `Bearer ${KEY}` ? 200 : 401));
  expect(await lookAtModel(model.settings, agents)).toMatch(/answers 200, and knows claude-known, claude-knwon$/);
});

test("a model that the endpoint does not know is named with its agent", async () => {
  using model = await endpoint((path) => (path.endsWith("knwon") ? 404 : 200));
  await expect(lookAtModel(model.settings, agents)).rejects.toThrow(
    'there is no model "claude-knwon"; correct it in `typo` in config/agents.ts',
  );
});

test("an endpoint without a list of models is fine", async () => {
  using model = await endpoint(() => 404);
  expect(await lookAtModel(model.settings, agents)).toMatch(/answers 404$/);
});

test.each([401, 403])("a key that is refused with %i is said to be so, and is not shown", async (status) => {
  using model = await endpoint(() => status);
  const failed = lookAtModel(model.settings, agents);
  await expect(failed).rejects.toThrow("check ANTHROPIC_API_KEY");
  await expect(failed).rejects.not.toThrow(KEY);
});

test("an endpoint that is not there is said to be so, with the reason of the network", async () => {
  const settings = { simulated: false, apiKey: KEY, baseUrl: "http://127.0.0.1:9", authorization: null, proxy: {} };
  await expect(lookAtModel(settings, agents)).rejects.toThrow(/cannot be reached \(.+\): check ANTHROPIC_BASE_URL/);
});

test("the endpoint is asked through the proxy that the server uses", async () => {
  const asked: string[] = [];
  using proxy = await endpoint((url) => {
    asked.push(url);
    return 200;
  });
  const baseUrl = "http://models.corp.invalid";
  const settings = { ...proxy.settings, baseUrl, proxy: { HTTP_PROXY: proxy.settings.baseUrl } };

  expect(await lookAtModel(settings, agents)).toMatch(/^http:\/\/models\.corp\.invalid\/v1\/models\S* answers 200/);
  expect(asked).toContain("http://models.corp.invalid/v1/models?limit=1");
});

test("an endpoint that redirects is told, because the server would not follow", async () => {
  using model = await endpoint(() => 302);
  await expect(lookAtModel(model.settings, agents)).rejects.toThrow(/answered 302, a redirect/);
});

test("without a key the model is simulated", async () => {
  const settings = { simulated: true, apiKey: "not-needed", baseUrl: null, authorization: null, proxy: {} };
  expect(await lookAtModel(settings, agents)).toMatch(/^simulated/);
});
