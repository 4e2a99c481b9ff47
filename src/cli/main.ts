/** `npx evenkeel …`: the command line. Each command is a file beside this one, loaded when it is chosen. */
import { Command, InvalidArgumentError, Option } from "commander";
import { variablesHere } from "../environment.ts";
import { DEFAULT_AGES } from "../core/retention.ts";
import { SHOWN_STATUSES } from "../core/run.ts";
import { answerToOwnName } from "../own-name.ts";
import { VERSION } from "../version.ts";
import { report, serverUrl } from "./connection.ts";
import { endWhenUnread } from "./leaving.ts";
import type { StorageOptions } from "./storage.ts";

const SERVER = new Option("--server <url>", "a running evenkeel")
  .env("EVENKEEL_SERVER")
  .argParser(serverUrl)
  .default("http://localhost:8000");
const KEY = new Option("--key <secret>", "an API key of that server").env("EVENKEEL_KEY");

/** As the server would read them, from `.env` too. */
const {
  DATA_DIR = "./data",
  DATABASE_URL,
  REDIS_URL,
  RETAIN_THREADS = DEFAULT_AGES.threads,
  RETAIN_FILES = DEFAULT_AGES.files,
  RETAIN_DELTAS = DEFAULT_AGES.deltas,
  RETAIN_ACTIVITIES = DEFAULT_AGES.activities,
} = variablesHere();
const DATA = new Option("--data <folder>", "DATA_DIR of the server").default(DATA_DIR);
const DATABASE = new Option("--database <url>", "DATABASE_URL of the server, when it has one").default(
  DATABASE_URL?.trim() || undefined,
  DATABASE_URL && "DATABASE_URL",
);
const REDIS = new Option("--redis <url>", "REDIS_URL of the server, when it has one").default(
  REDIS_URL || undefined,
  REDIS_URL && "REDIS_URL",
);

const program = new Command("evenkeel")
  .description("A clustered HTTP server for LLM agents that stays responsive while they work.")
  .version(VERSION)
  .showHelpAfterError();

for (const [name, mode, description] of [
  ["start", "production", "serve the agents of this folder's config/"],
  ["dev", "dev", "the same with one worker, anew after each change of config/"],
] as const) {
  program
    .command(name)
    .description(`${description}; settings are environment variables or lines of .env`)
    .action(async () => (await import("../entry.ts")).start(mode, { project: process.cwd(), args: [] }));
}

program
  .command("init")
  .argument("[folder]", "where; it may be empty or have a package.json", ".")
  .description("write what a project of your own needs: agents, a tool, a test, .env.example, Dockerfile")
  .action(async (folder) => (await import("./init.ts")).init(folder));

program
  .command("chat")
  .argument("<agent>", "the agent's id")
  .argument("[message]", "what to say; without one, a conversation line by line")
  .description(
    "talk to an agent; Ctrl-C cancels its answer. Without --server on a server of its own, which ends with it",
  )
  .addOption(
    new Option("--server <url>", "a running evenkeel, in place of one of its own")
      .env("EVENKEEL_SERVER")
      .argParser(serverUrl),
  )
  .addOption(KEY)
  .action(async (agent, message, options) => (await import("./chat.ts")).chat(agent, message, options));

program
  .command("top")
  .description("processes, runs and lag, live")
  .addOption(SERVER)
  .addOption(KEY)
  .option("--once", "print it once and end")
  .action(async (options) => (await import("./top.ts")).top(options));

program
  .command("runs")
  .description("the newest runs")
  .addOption(SERVER)
  .addOption(KEY)
  .addOption(new Option("--status <status>", "only those with this status").choices(SHOWN_STATUSES))
  .option("--agent <id>", "only those of this agent")
  .option("--limit <rows>", "how many", wholeNumber, 20)
  .action(async (options) => (await import("./runs.ts")).listRuns(options));

program
  .command("tail")
  .argument("<run>", "the run's id")
  .description("the events of a run, from the first until the last one")
  .addOption(SERVER)
  .addOption(KEY)
  .action(async (run, options) => (await import("./runs.ts")).tail(run, options));

program
  .command("cancel")
  .argument("<run>", "the run's id")
  .description("cancel a run, and all that it delegated")
  .addOption(SERVER)
  .addOption(KEY)
  .action(async (run, options) => (await import("./runs.ts")).cancel(run, options));

program
  .command("retry")
  .argument("<run>", "the run's id")
  .description("go on with a run that failed or was canceled, in a new run")
  .addOption(SERVER)
  .addOption(KEY)
  .action(async (run, options) => (await import("./runs.ts")).retry(run, options));

program
  .command("scale")
  .argument("<counts...>", "workers=N, agents=N; workers=default: as the settings say")
  .description("start or end worker and agent processes; those that end finish their work")
  .addOption(SERVER)
  .addOption(KEY)
  .action(async (counts, options) => (await import("./scale.ts")).scale(counts, options));

program
  .command("doctor")
  .description("what is wrong with this machine and its configuration, or with the way to a server")
  .option("--server <url>", "look at the way to this server instead: buffering, compression, WebSocket", serverUrl)
  .addOption(KEY)
  .action(async (options) => (await import("./doctor.ts")).doctor(options));

program
  .command("backup")
  .argument("<file>", "where the copy goes; refused when it is there")
  .description("copy the database file while the server runs; Postgres has pg_dump for that")
  .addOption(DATA)
  .addOption(DATABASE)
  .action(async (file, options, command) =>
    (await import("./backup.ts")).backUp(file, chosenStorage(options, command)),
  );

program
  .command("prune")
  .description("remove what is old at once, while the server runs or not: 90d, 12h, 30m or forever")
  .addOption(DATA)
  .addOption(DATABASE)
  .addOption(REDIS)
  .option("--threads <age>", "threads that did not change for so long, with all that they delegated", RETAIN_THREADS)
  .option("--files <age>", "files that no thread has named for so long", RETAIN_FILES)
  .option("--deltas <age>", "join the pieces of text of runs that ended so long ago", RETAIN_DELTAS)
  .option("--activities <age>", "entries of the feed", RETAIN_ACTIVITIES)
  .action(async (options, command) => (await import("./prune.ts")).prune(chosenStorage(options, command)));

program
  .command("export")
  .argument("<file>", "where the threads go, a line each; refused when it is there")
  .description("write all threads into a file, for another storage")
  .addOption(DATA)
  .addOption(DATABASE)
  .action(async (file, options, command) =>
    (await import("./dump.ts")).exportThreads(file, chosenStorage(options, command)),
  );

program
  .command("import")
  .argument("<file>", "what `evenkeel export` wrote")
  .description("store the threads of such a file, beside those that are there")
  .addOption(DATA)
  .addOption(DATABASE)
  .action(async (file, options, command) =>
    (await import("./dump.ts")).importThreads(file, chosenStorage(options, command)),
  );

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("Expected a whole number.");
  return Number(text);
}

/** A folder that is named in the command wins over a DATABASE_URL that happens to be set. */
function chosenStorage<Options extends StorageOptions>(options: Options, command: Command): Options {
  const sourceOf = (name: string) => command.getOptionValueSource(name);
  if (sourceOf("data") !== "cli" || sourceOf("database") === "cli") return options;
  const { database: _database, ...chosen } = options;
  return chosen as Options;
}

/** These free what they hold before they end. */
const HOLDERS: ReadonlySet<string> = new Set(["chat", "start", "dev"]);

answerToOwnName();
program.hook("preAction", (_program, command) => {
  if (!HOLDERS.has(command.name())) endWhenUnread();
});
program.parseAsync().catch(report);
