/**
 * The messages between a host (in the agent process) and its guest (the thread or process in which a tool's code runs).
 * Only data crosses. The host checks every message of a guest, because a tool may have got hold of the channel.
 */
import { z } from "zod";
import type { CallData } from "../invoke.ts";

export type ToGuest =
  | {
      readonly type: "call";
      readonly id: number;
      readonly input: unknown;
      readonly context: CallData;
      /** Only for threads: see `call-memory.ts`. */
      readonly memory?: SharedArrayBuffer;
    }
  | { readonly type: "abort"; readonly id: number; readonly reason: string }
  /** Answered by `pong` as soon as the guest's event loop turns. */
  | { readonly type: "ping" };

const id = z.int();

const report = z.discriminatedUnion("type", [
  z.object({ type: z.literal("log"), level: z.enum(["info", "warn", "error"]), text: z.string() }),
  z.object({ type: z.literal("progress"), progress: z.union([z.string(), z.number()]) }),
]);

const part = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text"), text: z.string() }),
  z.object({ type: z.literal("media"), data: z.string() }),
]);
const content = z.union([z.string(), z.array(part).readonly()]);

const fromGuest = z.discriminatedUnion("type", [
  /** The tool's file is loaded. `threadId` is the kernel's number of the thread, if there is one. */
  z.object({ type: z.literal("ready"), threadId: id.nullable() }),
  z.object({ type: z.literal("failed"), reason: z.string() }),
  z.object({ type: z.literal("pong") }),
  /** Only from processes, before the tool's code runs. A thread says the same in `call-memory.ts`. */
  z.object({ type: z.literal("begun"), id }),
  /** `isClean`: no other call is under way, and no timer, socket or child process is left. */
  z.object({ type: z.literal("settled"), id, content, isError: z.boolean(), isClean: z.boolean() }),
  z.object({ type: z.literal("report"), id, report }),
  /** An error that nobody caught; call `id` threw it, if that call is under way. */
  z.object({ type: z.literal("fault"), id: id.nullable(), reason: z.string() }),
]);

export type FromGuest = z.infer<typeof fromGuest>;

/** Undefined for a message that is not part of the protocol. */
export function readFromGuest(message: unknown): FromGuest | undefined {
  return fromGuest.safeParse(message).data;
}

/** The lowest priority. A tool that computes comes after the agent's own loop, and that comes after the workers. */
export const GUEST_NICE = 19;

/** What a guest is started with. */
export interface GuestTask {
  /** URL of the tool's file. */
  readonly source: string;
  /** Marks the processes that this host starts: see `leftovers.ts`. */
  readonly marker: string;
}
