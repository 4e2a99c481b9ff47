/**
 * What this worker knows about the MCP servers: the latest report of each agent process, which comes as a note through
 * the primary. Written by `main.ts`, read by `routes/mcp.ts`.
 */
import { z } from "zod";
import { MCP_REPORT, type McpReport } from "../api/mcp.ts";
import { MCP_NOTE, MCP_RESTART } from "../core/mcp-servers.ts";
import type { ProcessNotes, ServiceRequest } from "../process/protocol.ts";

const REPORTS = z.array(MCP_REPORT);

export class McpBoard {
  readonly #ask: (request: ServiceRequest) => void;
  #notes: readonly ProcessNotes[] = [];

  /** @param ask sends a request to other processes, through the primary */
  constructor(ask: (request: ServiceRequest) => void) {
    this.#ask = ask;
  }

  take(notes: readonly ProcessNotes[]): void {
    this.#notes = notes;
  }

  /** The reports of every agent process. A note of another shape is left out, because a tool may have written it. */
  list(): (McpReport & { agent_process: number })[] {
    return this.#notes
      .filter(({ kind }) => kind === "agent")
      .flatMap(({ id, notes }) => reportsIn(notes[MCP_NOTE]).map((report) => ({ ...report, agent_process: id })));
  }

  restart(server: string): void {
    this.#ask({ to: "agent", name: MCP_RESTART, about: server });
  }
}

function reportsIn(note: string | undefined): readonly McpReport[] {
  try {
    return REPORTS.safeParse(JSON.parse(note ?? "[]")).data ?? [];
  } catch {
    return [];
  }
}
