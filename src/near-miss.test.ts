import { expect, test } from "vitest";
import { nearMisses } from "./near-miss.ts";
import { settingNames } from "./settings.ts";

test.each([
  ["WORKRS", "WORKERS"],
  ["WORKER", "WORKERS"],
  ["WROKERS", "WORKERS"],
  ["workers", "WORKERS"],
  ["AGENT", "AGENTS"],
  ["API_KEY", "API_KEYS"],
  ["APIKEYS", "API_KEYS"],
  ["DATADIR", "DATA_DIR"],
  ["LOG_LEVL", "LOG_LEVEL"],
  ["DRAIN_SM", "DRAIN_MS"],
  ["PROT", "PORT"],
  ["ANTHROPIC_APIKEY", "ANTHROPIC_API_KEY"],
  ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"],
])("%s is told to be no setting, and %s to be one", (name, meant) => {
  expect(nearMisses([name], settingNames())).toEqual([
    `${name} is no setting and has no effect. Did you mean ${meant}?`,
  ]);
});

test("variables of shells, tools and other programs are nobody's misspelling", () => {
  const others =
    "HOME PATH PWD OLDPWD SHLVL USER LOGNAME MAIL SHELL EDITOR PAGER TERM LANG LC_ALL TZ DISPLAY HOSTNAME HOSTTYPE " +
    "SSH_AUTH_SOCK SSH_AGENT_PID XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS INVOCATION_ID JOURNAL_STREAM npm_config_cache " +
    "npm_lifecycle_event npm_package_name INIT_CWD CI GITHUB_TOKEN AWS_REGION AWS_SECRET_ACCESS_KEY KUBERNETES_PORT " +
    "KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT REDIS_PORT DB_HOST DB_PORT POSTGRES_HOST STRIPE_KEY OPENAI_API_KEY NVM_DIR";

  expect(nearMisses(others.split(" "), settingNames())).toEqual([]);
});
