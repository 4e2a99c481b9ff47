/** What clients may say over `/ws` (docs/websocket.md), read and checked. Called by `session.ts`. */
import { AppError } from "../../core/errors.ts";
import { isClientId } from "../../core/id.ts";
import { assertKnown, invalid, readChoice, type JsonObject } from "../input.ts";

export type SocketRequest =
  | { readonly op: "subscribe"; readonly id: string; readonly channel: Channel }
  | { readonly op: "unsubscribe"; readonly id: string }
  | { readonly op: "chat"; readonly id: string; readonly body: JsonObject }
  | { readonly op: "cancel"; readonly id: string; readonly runId: string };

export type Channel =
  | { readonly name: "activities" | "processes"; readonly after: number | undefined }
  | { readonly name: "run"; readonly runId: string; readonly after: number | undefined };

const EXAMPLE = 'for example {"op":"subscribe","id":"1","channel":"activities"}';
const MAX_ID_CHARACTERS = 64;

/** @throws AppError INVALID_JSON, INVALID_REQUEST */
export function parseFrame(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? ` (${error.message.slice(0, 100)})` : "";
    throw new AppError("INVALID_JSON", `Expected the frame to be JSON, ${EXAMPLE}${reason}.`, { cause: error });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new AppError("INVALID_REQUEST", `Expected the frame to be a JSON object, ${EXAMPLE}.`);
}

/** The id to answer under; null when the frame has none. */
export function idOf(frame: JsonObject): string | null {
  const { id } = frame;
  return typeof id === "string" && id !== "" && id.length <= MAX_ID_CHARACTERS ? id : null;
}

/** @throws AppError INVALID_REQUEST */
export function readRequest({ op: givenOp, ...frame }: JsonObject): SocketRequest {
  const op = readChoice("op", givenOp, ["subscribe", "unsubscribe", "chat", "cancel"]);
  const id = idOf(frame);
  if (id === null) throw invalid("id", `a string of 1 to ${MAX_ID_CHARACTERS} characters`, frame["id"]);
  const { id: _, ...body } = frame;
  // Its fields are read, and known, where those of a chat over HTTP are.
  if (op === "chat") return { op, id, body };
  if (op === "subscribe") return { op, id, channel: readChannel(body) };
  assertKnown(body, op === "cancel" ? ["op", "id", "run_id"] : ["op", "id"]);
  return op === "cancel" ? { op, id, runId: readRunId(body["run_id"]) } : { op, id };
}

function readChannel(body: JsonObject): Channel {
  const name = readChoice("channel", body["channel"], ["activities", "run", "processes"]);
  assertKnown(body, ["op", "id", "channel", ...(name === "run" ? ["run_id"] : []), "after"]);
  const after = readAfter(body["after"]);
  return name === "run" ? { name, runId: readRunId(body["run_id"]), after } : { name, after };
}

function readRunId(runId: unknown): string {
  if (typeof runId === "string" && isClientId(runId)) return runId;
  throw invalid("run_id", "the id of a run (GET /api/runs lists them)", runId);
}

function readAfter(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalid("after", "a whole number from 0, the last `seq` that you have", value);
}
