/** The Anthropic client of one agent process, and its connections. Made in `main.ts`, which closes it. */
import type { Agent } from "../core/agent.ts";
import type { ModelSettings } from "../settings.ts";
import { ModelHttp } from "./model-http.ts";
import { Anthropic } from "./sdk.ts";
import { longSecrets, redactor } from "./secrets.ts";

export interface ModelClient extends Disposable {
  readonly client: Anthropic;
}

/** A shorter password may be an ordinary word that also occurs in answers. */
const MIN_ANSWER_CHARACTERS = 12;

/** @param agents their headers may hold secrets, too */
export function openModelClient(settings: ModelSettings, agents: Iterable<Agent> = []): ModelClient {
  const { simulated, apiKey, baseUrl, authorization, proxy } = settings;
  const http = new ModelHttp({
    // The simulated model runs on this machine.
    proxy: simulated ? undefined : proxy,
    redact: redactor([...(simulated ? [] : secretsOf(settings)), ...headerValuesOf(agents)]),
    answerSecrets: simulated ? [] : longSecrets(secretsOf(settings), MIN_ANSWER_CHARACTERS),
  });
  const client = new Anthropic({
    apiKey,
    baseURL: baseUrl,
    ...(authorization !== null && { defaultHeaders: { authorization } }),
    // Only model.ts repeats calls.
    maxRetries: 0,
    // Failures go to our own log, once.
    logLevel: "off",
    fetch: http.fetch,
  });
  return { client, [Symbol.dispose]: () => http.close() };
}

function headerValuesOf(agents: Iterable<Agent>): string[] {
  return [...agents].flatMap(({ headers }) => Object.values(headers ?? {}));
}

function secretsOf({ apiKey, authorization, proxy }: ModelSettings): (string | undefined)[] {
  const basic = authorization?.replace("Basic ", "");
  const [, password] = basic === undefined ? [] : Buffer.from(basic, "base64").toString().split(":", 2);
  return [...(apiKey === "not-needed" ? [] : [apiKey]), basic, password, ...passwordsIn(proxy)];
}

/** The passwords in the proxy's URL. */
function passwordsIn(proxy: ModelSettings["proxy"]): (string | undefined)[] {
  return Object.values(proxy).map((url) => {
    const password = URL.parse(url)?.password;
    return password && decoded(password);
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
