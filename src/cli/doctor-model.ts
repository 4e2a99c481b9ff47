/**
 * Whether the model's endpoint is there, takes the key, and knows the models of the agents. Asks only what costs nothing,
 * so it cannot see whether the account has credit. Called by `doctor-machine.ts`.
 */
import { ModelHttp } from "../agent/model-http.ts";
import type { Agent } from "../core/agent.ts";
import type { ModelSettings } from "../settings.ts";
import { networkReason } from "./connection.ts";

const MODEL_MS = 10_000;
const VERSION = "2023-06-01";

export async function lookAtModel(settings: ModelSettings, agents: ReadonlyMap<string, Agent>): Promise<string> {
  if (settings.simulated) return "simulated (set ANTHROPIC_API_KEY for the real one)";
  // Through the same proxy as the server's calls, which Node's fetch would not use.
  const http = new ModelHttp({ proxy: settings.proxy, redact: (text) => text });
  try {
    return await lookThrough(http, settings, agents);
  } finally {
    http.close();
  }
}

async function lookThrough(
  http: ModelHttp,
  settings: ModelSettings,
  agents: ReadonlyMap<string, Agent>,
): Promise<string> {
  const list = await ask(http, settings, "?limit=1");
  // Endpoints of others often have no list of models, and are fine without.
  if (list.status !== 200) return `${list.url} answers ${list.status}`;
  const names = [
    ...new Set([...agents.values()].flatMap(({ model, fallbackModel = model }) => [model, fallbackModel])),
  ];
  for (const name of names) {
    const { url, status } = await ask(http, settings, `/${encodeURIComponent(name)}`);
    if (status === 404) throw new Error(`${url} answers 404: ${usersOf(name, agents)} in config/agents.ts.`);
  }
  return `${list.url} answers 200, and knows ${names.join(", ")}`;
}

function usersOf(name: string, agents: ReadonlyMap<string, Agent>): string {
  const users = [...agents].filter(([, { model, fallbackModel }]) => model === name || fallbackModel === name);
  return `there is no model "${name}"; correct it in ${users.map(([id]) => `\`${id}\``).join(", ")}`;
}

async function ask(http: ModelHttp, { baseUrl, apiKey, authorization }: ModelSettings, path: string) {
  const url = `${baseUrl ?? "https://api.anthropic.com"}/v1/models${path}`;
  // As the SDK of the server sends it: an endpoint may take the key in one way only.
  const headers = { authorization: authorization ?? `Bearer ${apiKey}`, "anthropic-version": VERSION };
  const init = { headers, signal: AbortSignal.timeout(MODEL_MS) };
  const { status } = await http.fetch(url, init).catch((error: Error) => {
    const reason = networkReason(error) ?? error.message;
    throw new Error(`${url} cannot be reached (${reason}): check ANTHROPIC_BASE_URL and the network.`);
  });
  if (status === 401 || status === 403) throw new Error(`${url} refuses the key (${status}): check ANTHROPIC_API_KEY.`);
  if (status >= 500) throw new Error(`${url} answers ${status}.`);
  return { url, status };
}
