/** Parses and checks the frames that clients send over `/ws` (docs/websocket.md). Called by `session.ts`. */
import { z } from "zod";
import { check } from "../../api/check.ts";
import { text } from "../../api/fields.ts";
import { CANCEL, CHANNELS, CHAT_FRAME, OPS, SUBSCRIBE, UNSUBSCRIBE, type ClientFrame } from "../../api/socket.ts";
import { assertPlain } from "../../api/plain-json.ts";
import { AppError } from "../../core/errors.ts";
import { MAX_FRAME_ID_CHARACTERS } from "../../core/limits.ts";
import { isObject } from "../input.ts";

type JsonObject = Readonly<Record<string, unknown>>;

const EXAMPLE = 'for example {"op":"subscribe","id":"1","channel":"activities"}';
const ID = text(MAX_FRAME_ID_CHARACTERS);
const OP = z.looseObject({ op: z.enum(OPS) });
const FRAMES = { unsubscribe: UNSUBSCRIBE, chat: CHAT_FRAME, cancel: CANCEL } as const;
const CHANNEL = z.looseObject({ channel: z.enum(CHANNELS) });

/** @throws AppError INVALID_JSON, INVALID_REQUEST */
export function parseFrame(frame: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(frame);
  } catch (error) {
    const reason = error instanceof Error ? ` (${error.message.slice(0, 100)})` : "";
    throw new AppError("INVALID_JSON", `Expected the frame to be JSON, ${EXAMPLE}${reason}.`, { cause: error });
  }
  if (isObject(value)) return value;
  throw new AppError("INVALID_REQUEST", `Expected the frame to be a JSON object, ${EXAMPLE}.`);
}

/** The id to answer under; null when the frame has no id. */
export function idOf({ id }: JsonObject): string | null {
  return ID.safeParse(id).data ?? null;
}

/** @throws AppError INVALID_REQUEST */
export function readRequest(frame: JsonObject, json: string): ClientFrame {
  assertPlain(frame, json);
  const { op } = check(OP, frame);
  const schema = op === "subscribe" ? SUBSCRIBE[check(CHANNEL, frame).channel] : FRAMES[op];
  return check(schema, frame);
}
