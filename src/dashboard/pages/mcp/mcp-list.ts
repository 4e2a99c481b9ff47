/**
 * The MCP servers of every agent process, requested every two seconds while the page is open, because no channel has
 * them.
 */
import { signal } from "@preact/signals";
import type { McpReport } from "../../../api/mcp.ts";
import { problemOf, type Problem } from "../../live/api-error.ts";
import { OneAtATime } from "../../live/one-at-a-time.ts";
import type { Services } from "../../live/services.ts";

const ASK_EVERY_MS = 2_000;

export type McpServer = McpReport & { readonly agent_process: number };

export class McpList {
  readonly servers = signal<readonly McpServer[] | null>(null);
  readonly error = signal<Problem | null>(null);
  /** Why a restart was refused. */
  readonly actionError = signal<Problem | null>(null);
  readonly #api: Services["api"];
  readonly #requests = new OneAtATime(() => this.#fetch());
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor({ api }: Services) {
    this.#api = api;
  }

  start(): void {
    this.#requests.request();
    this.#timer ??= setInterval(() => {
      if (!document.hidden) this.#requests.request();
    }, ASK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  restart(server: string): void {
    this.actionError.value = null;
    this.#api.send("POST", `/api/mcp/${encodeURIComponent(server)}/restart`).then(
      () => this.#requests.request(),
      (error: unknown) => (this.actionError.value = problemOf(error)),
    );
  }

  async #fetch(): Promise<void> {
    try {
      const { servers } = await this.#api.get<{ servers: readonly McpServer[] }>("/api/mcp");
      this.servers.value = servers;
      this.error.value = null;
    } catch (error) {
      this.error.value = problemOf(error);
    }
  }
}
