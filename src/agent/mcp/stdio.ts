/**
 * The stdio transport: one program in a process group of its own, one JSON-RPC message per line. The client's own
 * transport is not used: it has no process group, and its buffers for unread messages and for a line without an end
 * have no bound.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/client";
import type { McpServer } from "../../core/mcp-servers.ts";
import { ProcessGroup, type ProgramExit } from "../process-group.ts";
import { readLines, type Line, type LineLimits } from "./lines.ts";
import { Tail } from "./tail.ts";

// A longer line would hold up the event loop while it is parsed. [4 MiB of JSON: 15 to 40 ms.]
const LIMITS: LineLimits = { maxLineBytes: 4 * 1024 * 1024, bytesASecond: 64 * 1024 * 1024, linesASecond: 10_000 };
/** How much may wait for a server that does not read; beyond it, calls fail. */
const MAX_UNSENT_BYTES = 4 * 1024 * 1024;
const STOP_MS = 1_000;
/** A pipe may close a moment before its program exits. */
const EXIT_NOTICE_MS = 200;

export type StdioServer = Extract<McpServer, { kind: "stdio" }>;

export class StdioTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: Transport["onmessage"];
  readonly #group: ProcessGroup;
  readonly #stderr = new Tail();
  #closing: Promise<void> | undefined;

  constructor({ command, args, env, cwd }: StdioServer, programEnv: Readonly<Record<string, string>>) {
    this.#group = new ProcessGroup({ command, args, env: { ...programEnv, ...env }, cwd });
  }

  get pid(): number | undefined {
    return this.#group.pid;
  }

  /** The client recognises a stdio transport by `pid` and `stderr`. */
  get stderr(): string {
    return this.#stderr.text;
  }

  /** Resolves when the program has exited, by itself or because the transport was closed. */
  get exited(): Promise<ProgramExit> {
    return this.#group.exited;
  }

  /** Undefined while the program runs. A program that is just ending gets the time to do so. */
  exitedAlready(): Promise<ProgramExit | undefined> {
    const running = delay(EXIT_NOTICE_MS, undefined);
    return Promise.race([this.#group.exited, running]);
  }

  async start(): Promise<void> {
    this.#group.stderr.on("data", (chunk: Buffer) => this.#stderr.add(chunk));
    void this.#read();
    void this.#group.exited.then(() => {
      this.#tellClosed();
      // Processes that the program left running, and its watcher, end with it.
      return this.close();
    });
  }

  async send(message: JSONRPCMessage): Promise<void> {
    const { stdin } = this.#group;
    if (!stdin.writable) throw new Error("it has ended");
    if (stdin.writableLength > MAX_UNSENT_BYTES) throw new Error("it does not read its input");
    stdin.write(`${JSON.stringify(message)}\n`);
  }

  /** Ends the group, first with a request and then by force. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#group.stop(STOP_MS);
    return this.#closing;
  }

  #tellClosed(): void {
    const { onclose } = this;
    delete this.onclose;
    onclose?.();
  }

  async #read(): Promise<void> {
    try {
      for await (const line of readLines(this.#group.stdout, LIMITS)) {
        const message = line.cutTail === undefined ? messageIn(line.text) : refusal(line);
        if (message) this.onmessage?.(message);
        else this.#stderr.add(Buffer.from(`[stdout] ${line.text.slice(0, 200)}\n`));
      }
    } catch {
      // The stream was destroyed: `exited` says why.
    }
  }
}

/** Undefined for a line that is no message: programs print to stdout what belongs to stderr. */
function messageIn(text: string): JSONRPCMessage | undefined {
  if (!text.startsWith("{")) return undefined;
  try {
    const message = JSON.parse(text) as Partial<JSONRPCMessage>;
    // The client checks the rest.
    return message.jsonrpc === "2.0" ? (message as JSONRPCMessage) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * When an answer is too long, its call alone fails, at once. With the libraries in use, the id is the first or the last
 * field of the line; where it is neither, the call ends at its time limit.
 */
function refusal({ text, cutTail = "", bytes }: Line): JSONRPCMessage | undefined {
  const found = /^\{"jsonrpc":"2\.0","id":(\d+)[,}]/.exec(text) ?? /"id":(\d+)\}\s*$/.exec(cutTail);
  if (!found) return undefined;
  const message = `its answer of ${bytes} bytes is longer than the ${LIMITS.maxLineBytes} that are allowed`;
  return { jsonrpc: "2.0", id: Number(found[1]), error: { code: -32_603, message } };
}
