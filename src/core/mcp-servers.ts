/**
 * What `config/mcp.ts` can say about an MCP server. Only this file of the operator defines commands, addresses and
 * secrets: none of them can come over HTTP or a WebSocket. Workers read the names; agent processes run the servers.
 */
import { z } from "zod";
import { field, listOf, problemsIn, section, text, wholeNumber } from "./config-fields.ts";

// Checked below, name by name, because a message about the whole object would print its secrets.
const texts = () => field(z.record(z.string(), z.unknown()), "to be an object of texts").optional();

const SERVER = section({
  /** A program that speaks MCP over its stdin and stdout, found through PATH. */
  command: text("to be the name or path of a program").optional(),
  args: field(z.array(z.string()).readonly(), "to be a list of texts").optional(),
  /** The environment of the program, beside PATH, HOME and the like. */
  env: texts(),
  cwd: text("to be a folder").optional(),
  /** In place of a command: the URL of an MCP server that is reached over streamable HTTP. */
  url: field(z.url({ protocol: /^https?$/ }), "to be an http(s) URL").optional(),
  headers: texts(),
  /** Offer only these of its tools, by the server's own names. Default: all. */
  tools: listOf("names of the server's tools").optional(),
  /** The time from the start of the program to its list of tools. Over HTTP at most 300,000. */
  startTimeoutMs: wholeNumber().default(20_000),
  /** The time limit of one call; each report of progress restarts it. Over HTTP at most 300,000. */
  callTimeoutMs: wholeNumber().default(60_000),
  /** The time limit of one call, however much progress it reports. */
  maxCallMs: wholeNumber().default(600_000),
});

/**
 * Each server may be one more process per agent process, and the reports of all must fit into one note (`GET
 * /api/mcp`).
 */
const MAX_SERVERS = 32;

/** Node's fetch gives up an answer that is silent for longer than this. */
const MAX_HTTP_SILENCE_MS = 300_000;

type Fields = z.output<typeof SERVER>;
type Texts = Readonly<Record<string, string>>;

export type McpServerConfig = Readonly<
  Omit<z.input<typeof SERVER>, "env" | "headers"> & { env?: Texts; headers?: Texts }
>;

interface Common extends Readonly<Pick<Fields, "tools" | "startTimeoutMs" | "callTimeoutMs" | "maxCallMs">> {
  readonly name: string;
}

/** One server, ready to be connected to. */
export type McpServer =
  | (Common & {
      readonly kind: "stdio";
      readonly command: string;
      readonly args: readonly string[];
      readonly env: Texts;
      readonly cwd: string | undefined;
    })
  | (Common & { readonly kind: "http"; readonly url: string; readonly headers: Texts });

export type McpServers = ReadonlyMap<string, McpServer>;

/** Called once in `config/mcp.ts`. The keys are the servers' names. Throws one error that lists every mistake. */
export function defineMcpServers(servers: Readonly<Record<string, McpServerConfig>>): McpServers {
  const problems = Object.entries(servers).flatMap(([name, config]) =>
    [...problemsOfName(name), ...problemsIn(SERVER, config), ...problemsBetween(config)].map(
      (problem) => `MCP server \`${name}\`: expected ${problem}.`,
    ),
  );
  if (Object.keys(servers).length > MAX_SERVERS) problems.push(`Expected at most ${MAX_SERVERS} MCP servers.`);
  if (problems.length > 0) throw new Error(`these MCP servers cannot be used:\n  ${problems.join("\n  ")}`);
  return new Map(Object.entries(servers).map(([name, config]) => [name, serverOf(name, config)]));
}

/** Each tool is shown to the model as NAME__TOOL, so a name must leave room and must not contain the separator. */
function problemsOfName(name: string): string[] {
  const fits = /^[a-z0-9][a-z0-9_-]{0,31}$/.test(name) && !name.includes("__") && !name.endsWith("_");
  return fits ? [] : ["a name of 1 to 32 lower-case letters, digits, - and single _, not ending in _"];
}

/** Mistakes that involve several fields. Fields of a wrong type are left to `problemsIn`. */
function problemsBetween(config: McpServerConfig): string[] {
  const { success, data } = SERVER.safeParse(config);
  if (!success) return [];
  const problems = [...strangers("env", data.env), ...strangers("headers", data.headers)];
  const { command, url, callTimeoutMs, maxCallMs } = data;
  if ((command === undefined) === (url === undefined)) problems.push("either `command` or `url`");
  else if (command === undefined) problems.push(...misplaced(data, ["args", "env", "cwd"], "command"));
  else problems.push(...misplaced(data, ["headers"], "url"));
  if (url !== undefined) problems.push(...tooPatient(data));
  if (maxCallMs < callTimeoutMs)
    problems.push(`\`maxCallMs\` to be \`callTimeoutMs\` (${callTimeoutMs}) or more, got ${maxCallMs}`);
  return problems;
}

function strangers(where: string, values: Readonly<Record<string, unknown>> = {}): string[] {
  return Object.entries(values)
    .filter(([, value]) => typeof value !== "string")
    .map(([name, value]) => `\`${where}.${name}\` to be a text, got ${value === undefined ? "nothing" : typeof value}`);
}

function misplaced(data: Fields, names: readonly (keyof Fields)[], partner: string): string[] {
  return names.filter((name) => data[name] !== undefined).map((name) => `no \`${name}\` without \`${partner}\``);
}

function tooPatient(data: Fields): string[] {
  const names = ["startTimeoutMs", "callTimeoutMs"] as const;
  return names
    .filter((name) => data[name] > MAX_HTTP_SILENCE_MS)
    .map(
      (name) =>
        `\`${name}\` to be ${MAX_HTTP_SILENCE_MS} or less over HTTP, where a longer silence ends the request, got ${data[name]}; ` +
        "a call that reports progress may take `maxCallMs`",
    );
}

function serverOf(name: string, config: McpServerConfig): McpServer {
  const { command, args = [], env, cwd, url = "", headers, ...common } = SERVER.parse(config);
  if (command !== undefined) return { ...common, name, kind: "stdio", command, args, env: (env ?? {}) as Texts, cwd };
  return { ...common, name, kind: "http", url, headers: (headers ?? {}) as Texts };
}

/** Name of the note in which an agent process reports its servers: JSON of `McpReport[]` (`api/mcp.ts`). */
export const MCP_NOTE = "mcp";

/** Name of the request to restart a server; its subject is the server's name. */
export const MCP_RESTART = "mcp.restart";
