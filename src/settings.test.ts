import { expect, test } from "vitest";
import { completeSettings, parseSettings, settingsForAgent, settingsForWorker, SettingsError } from "./settings.ts";

type Env = Record<string, string>;

const modelOf = (env: Env) => parseSettings("production", env).model;

/** What is wrong with an environment, one line a problem. */
function problemsOf(env: Env): string[] {
  try {
    parseSettings("production", env);
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.message.split("\n");
    throw error;
  }
}

test("an empty environment is a working production server", () => {
  expect(parseSettings("production", {})).toMatchObject({
    mode: "production",
    environment: "production",
    reload: false,
    // Which of them depends on the machine.
    host: expect.stringMatching(/^(::|0\.0\.0\.0)$/) as string,
    port: 8000,
    workers: 4,
    agents: 2,
    agentConcurrency: 100,
    apiKeys: [],
    dataDir: expect.stringMatching(/^\/.*data$/),
    durability: "normal",
    model: { simulated: true },
  });
});

test("settings that an older primary does not know have their defaults, also within a group", () => {
  const whole = parseSettings("production", { PORT: "9000", RETAIN_THREADS: "5d", MAX_QUEUED: "7" });
  const { slowClientMs: _slow, retention, toolEnv: _env, ...rest } = whole;
  const { keysMs: _keys, ...older } = retention;

  const settings = completeSettings({ ...rest, retention: older });

  expect(settings).toEqual({ ...whole, toolEnv: {} });
});

test("development means one watched worker, unless it is told to be like production", () => {
  expect(parseSettings("dev", {})).toMatchObject({ environment: "development", reload: true, workers: 1 });
  expect(parseSettings("dev", { WORKERS: "3" })).toMatchObject({ reload: true, workers: 1 });
  expect(parseSettings("dev", { RELOAD: "false", WORKERS: "4" })).toMatchObject({ reload: false, workers: 4 });
});

test.each([
  "0",
  "-1",
  "abc",
  "1e6",
  "2.5",
  "",
  " ",
  "257",
  "0x4",
  "4 ",
  "Infinity",
  "AUTO",
  "١",
  "9".repeat(400),
  "8..2",
  "0..4",
  "2..",
  "..8",
  "2..257",
  "2...8",
  "2-8",
  "auto..8",
])("WORKERS=%j is refused in one line that says what is expected", (value) => {
  expect(problemsOf({ WORKERS: value })).toEqual([
    `Expected \`WORKERS\` to be a whole number from 1 to 256, a range such as "2..8", or "auto", got ${JSON.stringify(value)}.`,
  ]);
});

test("a range is where the load decides, from its lower end", () => {
  const { workers, workerBounds, agentBounds } = parseSettings("production", { WORKERS: "2..8", AGENTS: "3" });

  expect(workers).toBe(2);
  expect(workerBounds).toEqual({ min: 2, max: 8, isAuto: false });
  expect(agentBounds).toEqual({ min: 3, max: 3, isAuto: false });
});

test.each(["1", "256", "auto", "007", "2..8", "3..3"])("WORKERS=%s is taken", (value) => {
  const { workers } = parseSettings("production", { WORKERS: value });

  expect(workers).toBeGreaterThan(0);
});

test.each<[string, string]>([
  ["AGENTS", "0"],
  ["AGENTS", "many"],
  ["AGENT_CONCURRENCY", "0"],
  ["AGENT_CONCURRENCY", "auto"],
  ["MAX_QUEUED", "-5"],
  ["BASE_PATH", "keel"],
  ["BASE_PATH", "/a//b"],
  ["BASE_PATH", "/.."],
  ["BASE_PATH", "/a/./b"],
  ["PORT", "65536"],
  ["PORT", "http"],
  ["PORT", ""],
  ["HOST", ""],
  ["DATA_DIR", ""],
  ["CONFIG_DIR", ""],
  ["RELOAD", "maybe"],
  ["RELOAD", ""],
  ["ENVIRONMENT", "staging"],
  ["DURABILITY", "FULL"],
  ["LOG_LEVEL", "verbose"],
  ["STALL_MS", "1999"],
  ["DRAIN_MS", "600001"],
  ["SLOW_CLIENT_MS", "99"],
  ["MODEL_IDLE_MS", "1s"],
  ["ANTHROPIC_BASE_URL", "api.anthropic.com"],
  ["ANTHROPIC_BASE_URL", "ftp://example.com"],
])("%s=%j is refused by its name", (name, value) => {
  expect(problemsOf({ [name]: value })).toEqual([expect.stringMatching(`^Expected \`${name}\` .*\\.$`)]);
});

test("all problems are reported at once, each in a line of its own", () => {
  const problems = problemsOf({ WORKERS: "0", PORT: "x", RELOAD: "perhaps", API_KEYS: "nope", DATA_DIR: "" });

  expect(problems.map((line) => /`(\w+)`/.exec(line)?.[1])).toEqual([
    "RELOAD",
    "WORKERS",
    "PORT",
    "API_KEYS",
    "DATA_DIR",
  ]);
});

test.each(["ana", "ana:short", ":12345678", "ana:12345678,", "an a:12345678", "ana:1234 5678", "ana:canary-9a1,bob:1"])(
  "API_KEYS=%j is refused, and the secret is not repeated",
  (value) => {
    const [problem, ...more] = problemsOf({ API_KEYS: value });

    expect(more).toEqual([]);
    expect(problem).toMatch(/^Expected `API_KEYS` to be "name:secret\[:role\],…"/);
    expect(problem).not.toContain("canary-9a1");
    expect(problem).not.toContain("1234");
  },
);

test("API keys are read with blanks around them, and none means protected mode", () => {
  expect(parseSettings("production", { API_KEYS: " ana:12345678 , bob:abcd:efgh " }).apiKeys).toEqual([
    { name: "ana", secret: "12345678" },
    { name: "bob", secret: "abcd:efgh" },
  ]);
  expect(parseSettings("production", { API_KEYS: " " }).apiKeys).toEqual([]);
});

test("proxies are taken from the environment, in small letters first", () => {
  const env = { https_proxy: "http://small:1", HTTPS_PROXY: "http://large:1", NO_PROXY: "localhost", HTTP_PROXY: "" };

  expect(modelOf(env).proxy).toEqual({ HTTPS_PROXY: "http://small:1", NO_PROXY: "localhost" });
  expect(() => modelOf({ HTTP_PROXY: "user:secret@proxy:1" })).toThrow(
    'Expected `HTTP_PROXY` to be an http(s) URL such as "http://proxy.example.org:3128".',
  );
});

test("an Anthropic key or an endpoint of one's own means the real model", () => {
  expect(modelOf({ ANTHROPIC_API_KEY: "sk-1" })).toMatchObject({ simulated: false, apiKey: "sk-1", baseUrl: null });
  expect(modelOf({ ANTHROPIC_BASE_URL: "http://localhost:1234" })).toMatchObject({ simulated: false });
  expect(modelOf({ ANTHROPIC_API_KEY: "", ANTHROPIC_BASE_URL: "" })).toMatchObject({ simulated: true });
});

test.each([
  ["http://localhost:1234/v1", "http://localhost:1234"],
  ["http://localhost:1234/v1/", "http://localhost:1234"],
  ["https://host/anthropic/", "https://host/anthropic"],
  ["https://host/anthropic/v1", "https://host/anthropic"],
])("a base URL %s asks at %s/v1/messages", (url, expected) => {
  expect(modelOf({ ANTHROPIC_BASE_URL: url }).baseUrl).toBe(expected);
});

test("user and password of a base URL become a header, and are nowhere else", () => {
  const { model, ...others } = parseSettings("production", { ANTHROPIC_BASE_URL: "http://ana:p%40ss@host:1/v1" });

  expect(model).toMatchObject({ baseUrl: "http://host:1", authorization: `Basic ${btoa("ana:p@ss")}` });
  expect(JSON.stringify(others)).not.toMatch(/p@ss|p%40ss/);
});

test.each(["ftp://ana:canary@host", "http://ana:canary@ho st", "http://ana:canary@host/ü", "ana:canary@host"])(
  "a base URL %s that cannot work is refused without its password",
  (url) => {
    const [problem = ""] = problemsOf({ ANTHROPIC_BASE_URL: url });

    expect(problem).toContain("Expected `ANTHROPIC_BASE_URL` to be an http(s) URL");
    expect(problem).not.toContain("canary");
  },
);

test.each([
  ["sk-ant-…", "has characters that no header can carry"],
  ["sk ant", "has characters that no header can carry"],
  ["sk-a\nnt", "has characters that no header can carry"],
  ['"sk-ant-1"', "is in quotes"],
  ["'sk-ant-1", "is in quotes"],
  ["undefined", "is a placeholder"],
  ["null", "is a placeholder"],
  ["${ANTHROPIC_API_KEY}", "is a placeholder"],
  ["$KEY", "is a placeholder"],
  ["<your key>", "is a placeholder"],
])("ANTHROPIC_API_KEY=%s is refused by name and reason, and not repeated", (value, reason) => {
  const problems = problemsOf({ ANTHROPIC_API_KEY: value });

  expect(problems).toEqual([expect.stringContaining(`Expected \`ANTHROPIC_API_KEY\` to be a key, but it ${reason}`)]);
  expect(problems.join()).not.toContain(value);
});

test.each([
  ["ana:pässword-1", 'that of "ana" has characters that no header can carry'],
  ['ana:"secret-1"', 'that of "ana" is in quotes'],
  ["ana:undefined", 'that of "ana" is a placeholder'],
  ["ana:${SECRET}", 'that of "ana" is a placeholder'],
  ["ana:secret-01,bob:secret-01", '"ana" and "bob" share one'],
  ["ana:secret-01,ana:secret-02", 'to name each key once, got "ana" twice'],
  ["local:secret-01", '"local" is reserved'],
  ["ana:short", "at least 8 characters"],
  ["undefined", "at least 8 characters"],
])("API_KEYS=%s is refused", (value, reason) => {
  const problems = problemsOf({ API_KEYS: value });

  expect(problems).toEqual([expect.stringContaining(reason)]);
  expect(problems.join()).not.toMatch(/secret-0|pässword/);
});

test("variables that only the SDK knows have no effect, and reach nobody but tools that are allowed to see them", () => {
  const env = { ANTHROPIC_AUTH_TOKEN: "token", ANTHROPIC_LOG: "debug", STRIPE_KEY: "sk", PATH: "/bin", PORT: "1" };
  const { toolEnv, model } = parseSettings("production", env);

  expect(model).toMatchObject({ simulated: true });
  expect(toolEnv).toEqual({ ANTHROPIC_AUTH_TOKEN: "token", ANTHROPIC_LOG: "debug", STRIPE_KEY: "sk" });
});

test("a worker gets no key of the model, and an agent none of our clients' keys", () => {
  const env = { API_KEYS: "ana:client-key", ANTHROPIC_API_KEY: "model-key" };
  const settings = parseSettings("production", env);

  expect(JSON.stringify(settingsForWorker(settings))).not.toContain("model-key");
  expect(JSON.stringify(settingsForAgent(settings))).not.toContain("client-key");
});

test("how long things are kept is said in words, and only threads and files are kept for good by default", () => {
  const words = { RETAIN_THREADS: "90d", RETAIN_FILES: "7d", RETAIN_KEYS: "forever" };
  const { retention } = parseSettings("production", words);
  expect(retention).toEqual({
    deltasMs: 3_600_000,
    threadsMs: 90 * 86_400_000,
    filesMs: 7 * 86_400_000,
    activitiesMs: 30 * 86_400_000,
  });
  const { threadsMs, filesMs } = parseSettings("production", {}).retention;
  expect([threadsMs, filesMs]).toEqual([undefined, undefined]);
  expect(problemsOf({ RETAIN_DELTAS: "3 days" })).toEqual([
    'Expected `RETAIN_DELTAS` to be a time such as "90d", "12h" or "30m", or "forever", got "3 days".',
  ]);
});

const DATABASE_URL = "postgres://db/evenkeel";

test.each(["redis://cache:6379", "rediss://ana:se%2Fcret@cache.internal/0", "redis://[::1]"])(
  "%s is a Redis for the news of a database",
  (REDIS_URL) =>
    expect(parseSettings("production", { DATABASE_URL, REDIS_URL }).database).toMatchObject({ redisUrl: REDIS_URL }),
);

test.each([
  "cache:6379",
  "http://cache",
  "redis://",
  "redis://:se%cret@cache",
  "redis://ana:secret@cache/evenkeel",
  "redis://ana:secret@cache?family=6",
])("%s is refused as a Redis, without its password", (REDIS_URL) => {
  const [problem, ...more] = problemsOf({ DATABASE_URL, REDIS_URL });
  expect(problem).toMatch(/^Expected `REDIS_URL` to be a URL such as "redis:/);
  expect(problem).not.toContain("cret");
  expect(more).toEqual([]);
});

test("a Redis without a database is refused, and an empty one is none", () => {
  expect(problemsOf({ REDIS_URL: "redis://ana:secret@cache" })).toEqual([
    "`REDIS_URL` is set without `DATABASE_URL`. Redis only carries the news of a Postgres: set `DATABASE_URL`, too, or remove `REDIS_URL`.",
  ]);
  expect(parseSettings("production", { DATABASE_URL, REDIS_URL: "" }).database).not.toHaveProperty("redisUrl");
});

test.each([
  ["DATABASE_LISTEN_URL", "postgres://ana:secret@db/evenkeel"],
  ["DATABASE_POOL", "8"],
  ["DATABASE_PREPARE", "false"],
])("%s without a database is refused, and an empty one is none", (name, value) => {
  expect(problemsOf({ [name]: value })).toEqual([
    `\`${name}\` is set without \`DATABASE_URL\`: set \`DATABASE_URL\`, too, or remove \`${name}\`.`,
  ]);
  expect(problemsOf({ [name]: value, DATABASE_URL })).toEqual([]);
  expect(problemsOf({ [name]: "", DATABASE_URL: "" })).toEqual([]);
});
