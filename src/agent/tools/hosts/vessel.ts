/** What carries a guest: a thread (`thread.ts`) or a process (`process.ts`), as `host.ts` sees it. */
import type { Effects } from "../../../engine/engine.ts";
import type { CallOutput } from "./hosted-call.ts";
import type { FromGuest, ToGuest } from "./protocol.ts";

/** A tool as its hosts know it: everything that `describe.ts` found in its file, except the schema. */
export interface HostedTool {
  /** The environment that the tool sees. */
  readonly env: Readonly<Record<string, string>>;
  readonly name: string;
  /** URL of its file. */
  readonly source: string;
  readonly effects: Effects;
  readonly timeoutMs: number;
  readonly isolation: "thread" | "process";
  readonly memoryMb: number;
}

export interface Vessel {
  /** Whether several calls run in it at once. */
  readonly isShared: boolean;
  /** True once the end of the guest was seen, also before `onExit`. */
  hasEnded(): boolean;
  send(message: ToGuest): void;
  /** @returns where the output of the next call will be kept, and what to send with the call's message */
  openOutput(): CallOutput & { readonly shared?: SharedArrayBuffer };
  /** Kills the child processes of one call. */
  killChildrenOf(callId: number): void;
  /** Ends the process or thread with everything that it started. Idempotent; `onExit` is called when it is gone. */
  kill(): void;
}

export interface VesselEvents {
  readonly onMessage: (message: FromGuest) => void;
  /**
   * The guest is gone, or could not be started. Called once. @param reason a text for the model
   * @param saidAll true when every message of the guest was handed to `onMessage`
   */
  readonly onExit: (reason: string, saidAll: boolean) => void;
}

export type OpenVessel = (tool: HostedTool, events: VesselEvents) => Vessel;
