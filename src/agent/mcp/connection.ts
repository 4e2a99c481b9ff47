/**
 * One live connection to one MCP server, from its handshake to its end. Opened by `server.ts`, and only once: each try
 * makes a new connection. Only this file uses the MCP client, which is loaded with the first connection. [The client
 * costs an agent process 130 ms and 35 MB.]
 */
import type { CallToolResult, Client, Progress, Tool as McpTool } from "@modelcontextprotocol/client";
import { atMost } from "../../core/at-most.ts";
import type { McpServer } from "../../core/mcp-servers.ts";
import { VERSION } from "../../version.ts";
import { reasonOf } from "../tools/text.ts";
import { StdioTransport } from "./stdio.ts";

/** The most tools of a server that the model is shown. */
export const MAX_TOOLS = 256;
/** Some servers answer no question before their handshake; after this time the older handshake is made. */
const PROBE_MS = 2_000;
const PING_MS = 5_000;
export const LAST_CALLS_MS = 5_000;

export interface ConnectionOptions {
  readonly server: McpServer;
  /** The whole environment that a program sees. */
  readonly env: Readonly<Record<string, string>>;
  /**
   * "legacy" leaves out the question that tells which handshake a server knows, because a few programs exit when asked.
   */
  readonly handshake: "auto" | "legacy";
  readonly signal: AbortSignal;
  /** The list has changed. `total`: how many tools the server has; only MAX_TOOLS of them are taken. */
  readonly onTools: (tools: readonly McpTool[], total: number) => void;
  /** The connection has ended, for this reason. Never called before `open` has resolved. */
  readonly onLost: (reason: string) => void;
  /** What the server's program wrote before it failed to open. */
  readonly onStderr: (text: string) => void;
}

export interface CallOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs?: number | undefined;
  readonly onProgress: (progress: Progress) => void;
}

export class Connection {
  readonly #server: McpServer;
  readonly #client: Client;
  readonly #transport: StdioTransport | undefined;
  #tools: readonly McpTool[] = [];
  #total = 0;
  // Bounded by the tool calls of this process's runs.
  readonly #calls = new Set<Promise<unknown>>();

  private constructor(server: McpServer, client: Client, transport: StdioTransport | undefined) {
    this.#server = server;
    this.#client = client;
    this.#transport = transport;
  }

  /**
   * Resolves when the server has listed its tools. @throws Error that says why not; then nothing of it runs any more
   */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const { server, env, handshake, signal, onTools, onLost, onStderr } = options;
    const { Client: McpClient } = await import("@modelcontextprotocol/client");
    const client = new McpClient(
      { name: "evenkeel", version: VERSION },
      {
        versionNegotiation: { mode: handshake, probe: { timeoutMs: Math.min(PROBE_MS, server.startTimeoutMs / 4) } },
        listMaxPages: 16,
        // The model judges a result: a result that breaks its server's own schema is still a result.
        jsonSchemaValidator: {
          getValidator: () => (data) => ({ valid: true, data: data as never, errorMessage: undefined }),
        },
        listChanged: {
          tools: {
            onChanged: (_error, tools) => {
              if (tools) onTools(connection.#take(tools), tools.length);
            },
          },
        },
      },
    );
    const stdio = server.kind === "stdio" ? new StdioTransport(server, env) : undefined;
    const connection = new Connection(server, client, stdio);
    try {
      const transport = stdio ?? (await httpOf(server));
      const deadline = performance.now() + server.startTimeoutMs;
      const timing = () => ({ timeout: Math.max(1, deadline - performance.now()), signal });
      await client.connect(transport, timing());
      connection.#take((await client.listTools(undefined, timing())).tools);
      void stdio?.exited.then(async () => onLost(await connection.whyEnded("it ended")));
      return connection;
    } catch (error) {
      const reason = await connection.#whyNotOpened(error);
      onStderr(connection.stderr);
      await connection.close();
      signal.throwIfAborted();
      throw new Error(reason, { cause: error });
    }
  }

  /** In the server's order; bounded by MAX_TOOLS. */
  get tools(): readonly McpTool[] {
    return this.#tools;
  }

  /** How many tools the server has. */
  get total(): number {
    return this.#total;
  }

  get pid(): number | undefined {
    return this.#transport?.pid;
  }

  /** The end of what the program wrote to stderr, and of lines on its stdout that are no messages. */
  get stderr(): string {
    return this.#transport?.stderr ?? "";
  }

  /**
   * Rejects as the client does: a ProtocolError is the server's own answer; a `REQUEST_TIMEOUT` means that the server
   * did not answer (the client has told it to cancel); anything else means that the connection has ended.
   */
  call(
    name: string,
    input: Record<string, unknown>,
    { signal, timeoutMs, onProgress }: CallOptions,
  ): Promise<CallToolResult> {
    const { callTimeoutMs, maxCallMs } = this.#server;
    const answer = this.#client.callTool(
      { name, arguments: input },
      {
        timeout: timeoutMs ?? callTimeoutMs,
        resetTimeoutOnProgress: true,
        maxTotalTimeout: timeoutMs ?? maxCallMs,
        signal,
        onprogress: onProgress,
      },
    );
    this.#calls.add(answer);
    const forget = () => void this.#calls.delete(answer);
    answer.then(forget, forget);
    return answer;
  }

  /** Says for people how the program ended, or what else is known. */
  async whyEnded(otherwise: string): Promise<string> {
    const exit = await this.#transport?.exitedAlready();
    if (!exit) return otherwise;
    return exit.signal ? `it was ended by ${exit.signal}` : `it exited with code ${exit.code}`;
  }

  async answersPing(): Promise<boolean> {
    try {
      await this.#client.ping({ timeout: PING_MS });
      return true;
    } catch {
      return false;
    }
  }

  /**
   * True when the server does not know our session any more: it was restarted, or the session has expired. It has not
   * taken the call, so the call may be sent again. False without a session: the server may have done the call.
   */
  hasLostSession(error: unknown): boolean {
    return this.#client.transport?.sessionId !== undefined && isAboutSession(error);
  }

  /** Leaves its calls a moment in which they may be answered, and closes. `close` ends that moment. */
  async closeAfterCalls(): Promise<void> {
    await atMost(LAST_CALLS_MS, Promise.allSettled(this.#calls));
    await this.close();
  }

  /** Idempotent. Resolves when nothing of the server runs any more. */
  async close(): Promise<void> {
    await this.#client.close().catch(() => {});
    // When the handshake failed, the client does not have the transport yet, so close it here.
    await this.#transport?.close();
  }

  #take(tools: readonly McpTool[]): readonly McpTool[] {
    this.#total = tools.length;
    this.#tools = tools.slice(0, MAX_TOOLS);
    return this.#tools;
  }

  async #whyNotOpened(error: unknown): Promise<string> {
    // Check this first: by now the client has ended the program, whose exit would look like the cause.
    if (isTimeout(error)) return `it did not answer within ${this.#server.startTimeoutMs} ms`;
    const exit = await this.#transport?.exitedAlready();
    if (exit?.code === 127) return `its command was not found (PATH is searched); see config/mcp.ts`;
    if (exit?.code === 126) return `its command cannot be run, or its folder is not there; see config/mcp.ts`;
    if (exit) return `it ended before its handshake (${exit.signal ?? `exit code ${exit.code}`})`;
    const status = statusIn(error);
    if (status === 401 || status === 403) return `it refuses us (HTTP ${status}); see its \`headers\` in config/mcp.ts`;
    if (status !== undefined)
      return `it answered HTTP ${status}; see its \`url\` in config/mcp.ts (${reasonOf(error)})`;
    return reasonOf(error);
  }
}

/** True for a request that the server did not answer in time. */
export function isTimeout(error: unknown): boolean {
  return codeOf(error) === "REQUEST_TIMEOUT";
}

/** True for an error that the server itself sent as its answer. JSON-RPC numbers its errors, the client names its own. */
export function isServersAnswer(error: unknown): boolean {
  return typeof codeOf(error) === "number";
}

/** True for an answer that does not fit the protocol's schema. The connection can still be used. */
export function isMalformed(error: unknown): boolean {
  return codeOf(error) === "INVALID_RESULT";
}

/**
 * True when an HTTP answer is about the session and not about a request: then the server has not taken the request. The
 * protocol says 404 (Streamable HTTP, Session Management); the published servers answer 400 and name the session. An
 * answer with the number of our request tells how the request failed.
 */
function isAboutSession(error: unknown): boolean {
  const status = statusIn(error);
  const text = textIn(error);
  if (status !== 404 && status !== 400) return false;
  if (/"id"\s*:\s*\d/.test(text)) return false;
  return status === 404 || /session|not initialized/i.test(text);
}

/** The status of an HTTP answer that is no message of the protocol. */
function statusIn(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("status" in error)) return undefined;
  return typeof error.status === "number" ? error.status : undefined;
}

/** What such an answer says. */
function textIn(error: unknown): string {
  const data: unknown = error instanceof Error && "data" in error ? error.data : undefined;
  const text: unknown = typeof data === "object" && data !== null && "text" in data ? data.text : undefined;
  return typeof text === "string" ? text : "";
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

async function httpOf(server: McpServer) {
  if (server.kind !== "http") throw new Error("a program is not reached over HTTP");
  const { httpTransport } = await import("./http.ts");
  return httpTransport(server);
}
