/**
 * What a tab and the hub say to each other, over a MessagePort (SharedWorker) or directly (no SharedWorker).
 * `key` is the tab's own name for a subscription or a call; ids on the wire are the hub's business.
 */
import type { Chat } from "../../api/chat.ts";
import type { Problem } from "./api-error.ts";

/** As docs/websocket.md has it. `after` 0 asks for all that is stored; none for live events only. */
export type ChannelRequest =
  | { channel: "activities"; after?: number }
  | { channel: "run"; run_id: string; after?: number }
  | { channel: "processes"; after?: number };

/** What happens to a run that the thread has under way: the new message waits for its end, or ends it. */
export type Strategy = "enqueue" | "interrupt";

export type CallOp =
  | {
      op: "chat";
      agent_id: string;
      message: Chat["message"];
      thread_id?: string;
      run_id?: string;
      multitask_strategy?: Strategy;
    }
  | { op: "cancel"; run_id: string };

export type ToHub =
  /** The first message. It carries `mark` (see live/key.ts), because a hub in a worker cannot read localStorage. */
  | { type: "attach"; mark: string | null }
  /** `seq`: the newest seq that the tab already has, from another hub or from before the hub gave it up. */
  | { type: "subscribe"; key: number; request: ChannelRequest; seq?: number }
  | { type: "unsubscribe"; key: number }
  | { type: "call"; key: number; op: CallOp }
  | { type: "alive" }
  | { type: "bye" };

/** `local`: the hub itself refused, so it says nothing of the server. */
export type FromHub =
  | { type: "alive" }
  /** The hub had given this tab up (it was frozen); it has to attach and subscribe again. */
  | { type: "gone" }
  /** The socket opened. */
  | { type: "open" }
  | { type: "ready"; key: number; seq: number }
  /** The server counts from 1 again: seqs seen before mean nothing any more, and "ready" comes once more. */
  | { type: "restarted"; key: number }
  | { type: "event"; key: number; event: unknown; seq?: number }
  | { type: "done"; key: number }
  | { type: "error"; key: number; error: Problem; local?: true }
  | { type: "reply"; key: number; body: Record<string, unknown> }
  | { type: "refused"; key: number; error: Problem; local?: true };
