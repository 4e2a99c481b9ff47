/** The frames of `/ws` (docs/websocket.md): each frame of a client, and each frame of the server. */
import { z } from "zod";
import { MAX_FRAME_ID_CHARACTERS } from "../core/limits.ts";
import { RUN_STATUSES } from "../core/run.ts";
import { CHAT } from "./chat.ts";
import { chosenId, expecting, orNull, position, SUBAGENTS, text } from "./fields.ts";
import { ERROR_INFO } from "./problem.ts";
import { empty, route } from "./route.ts";

const id = text(MAX_FRAME_ID_CHARACTERS);
const runId = expecting(chosenId(), "the id of a run (GET /api/runs lists them)");
const after = orNull(expecting(position(), "a whole number from 0, the last `seq` that you have"));

/** Frames that subscribe, by `channel`. */
export const SUBSCRIBE = {
  activities: z.strictObject({ op: z.literal("subscribe"), id, channel: z.literal("activities"), after }),
  run: z.strictObject({
    op: z.literal("subscribe"),
    id,
    channel: z.literal("run"),
    run_id: runId,
    after,
    subagents: orNull(SUBAGENTS),
  }),
  processes: z.strictObject({ op: z.literal("subscribe"), id, channel: z.literal("processes"), after }),
} as const;

export const UNSUBSCRIBE = z.strictObject({ op: z.literal("unsubscribe"), id });
export const CANCEL = z.strictObject({ op: z.literal("cancel"), id, run_id: runId });
export const CHAT_FRAME = CHAT.extend({ op: z.literal("chat"), id });

export const OPS = ["subscribe", "unsubscribe", "chat", "cancel"] as const;
export const CHANNELS = ["activities", "run", "processes"] as const;

export type Channel = Readonly<z.output<(typeof SUBSCRIBE)[(typeof CHANNELS)[number]]>>;
export type ClientFrame =
  | Channel
  | Readonly<z.output<typeof UNSUBSCRIBE>>
  | Readonly<z.output<typeof CANCEL>>
  | Readonly<z.output<typeof CHAT_FRAME>>;

/** For the document, by the name that each frame has there. */
export const CLIENT_FRAMES = {
  SocketSubscribeActivities: SUBSCRIBE.activities,
  SocketSubscribeRun: SUBSCRIBE.run,
  SocketSubscribeProcesses: SUBSCRIBE.processes,
  SocketUnsubscribe: UNSUBSCRIBE,
  SocketChatRequest: CHAT_FRAME,
  SocketCancel: CANCEL,
} as const;

const status = z.enum(RUN_STATUSES);
const ok = z.literal(true);

/** The answers to frames of a client, and the frames that a subscription sends beside its events. */
export const SERVER_FRAMES = {
  SocketSubscribed: z.object({ id, ok, channel: z.enum(CHANNELS), seq: z.int() }),
  SocketUnsubscribed: z.object({ id, ok }),
  SocketChat: z.object({
    id,
    ok,
    run_id: z.string(),
    thread_id: z.string(),
    agent_id: z.string(),
    status,
    created: z.boolean().describe("False when a run with this `run_id` existed already."),
  }),
  SocketCanceled: z.object({ id, ok, run_id: z.string(), status }),
  SocketDone: z.object({ id, done: z.literal(true) }).describe("The run's last event was sent."),
  SocketEvent: z.object({ id, seq: z.int().exactOptional(), event: z.record(z.string(), z.unknown()) }),
  SocketError: z.object({
    id: id.nullable().describe("Null when the frame had no readable id."),
    error: ERROR_INFO.extend({ run_id: z.string().exactOptional() }),
  }),
} as const;

export type ServerFrame = Readonly<z.output<(typeof SERVER_FRAMES)[keyof typeof SERVER_FRAMES]>>;

export const OPEN_SOCKET = route({
  method: "GET",
  path: "/ws",
  access: "viewer",
  lane: "upgrade",
  summary: "Open the WebSocket. docs/websocket.md describes its messages",
  answers: { 101: empty("Upgraded.") },
  errors: ["UPGRADE_REQUIRED"],
});
