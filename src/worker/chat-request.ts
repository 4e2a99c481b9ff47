/** What a chat may say, over HTTP or a socket, checked and turned into a `NewRun`. */
import { createHash } from "node:crypto";
import type { Agent } from "../core/agent.ts";
import { AppError } from "../core/errors.ts";
import { isClientId, newId } from "../core/id.ts";
import { MULTITASK_STRATEGIES, type NewRun } from "../core/run.ts";
import { assertKnown, invalid, readChoice, type JsonObject } from "./input.ts";

export interface ChatRequest {
  readonly run: NewRun;
  /** The client wants the run canceled when it hangs up. */
  readonly cancelOnDisconnect: boolean;
}

interface ReadOptions {
  readonly agents: ReadonlyMap<string, Agent>;
  readonly principal: string;
  readonly idempotencyKey: string | null;
}

const FIELDS = [
  "agent_id",
  "message",
  "thread_id",
  "run_id",
  "multitask_strategy",
  "on_disconnect",
  "timeout_ms",
  "metadata",
];
const MAX_METADATA_BYTES = 16 * 1024;
const MAX_TIMEOUT_MS = 24 * 3600 * 1000;

/** @throws AppError INVALID_REQUEST, AGENT_NOT_FOUND */
export function readChat(body: JsonObject, { agents, principal, idempotencyKey }: ReadOptions): ChatRequest {
  assertKnown(body, FIELDS);
  const message = readMessage(body["message"]);
  const agentId = readAgentId(body["agent_id"], agents);
  const runId = readId("run_id", body["run_id"]);
  const threadId = readId("thread_id", body["thread_id"]);
  const strategy = body["multitask_strategy"] ?? "enqueue";
  const onDisconnect = body["on_disconnect"] ?? "continue";
  return {
    cancelOnDisconnect: readChoice("on_disconnect", onDisconnect, ["continue", "cancel"]) === "cancel",
    run: {
      runId: runId ?? newId("run"),
      runIdChosen: runId !== undefined,
      threadId: threadId ?? newId("thread"),
      agentId,
      parentRunId: null,
      message,
      strategy: readChoice("multitask_strategy", strategy, MULTITASK_STRATEGIES),
      timeoutMs: readTimeout(body["timeout_ms"]),
      metadata: readMetadata(body["metadata"]),
      principal,
      idempotencyKey,
      fingerprint: fingerprintOf(principal, body),
    },
  };
}

function readMessage(value: unknown): string {
  if (typeof value === "string" && value.trim() !== "") return value;
  throw invalid("message", "a string that is not empty", value);
}

function readAgentId(value: unknown, agents: ReadonlyMap<string, Agent>): string {
  if (typeof value !== "string") throw invalid("agent_id", "the id of an agent (GET /api/agents lists them)", value);
  if (agents.has(value)) return value;
  const known = [...agents.keys()].map((id) => `"${id}"`).join(", ");
  throw new AppError(
    "AGENT_NOT_FOUND",
    `There is no agent ${JSON.stringify(value.slice(0, 100))}; use one of ${known}.`,
  );
}

function readId(name: string, value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string" && isClientId(value)) return value;
  throw invalid(name, "1 to 128 letters, digits and . _ : - (the first a letter or digit)", value);
}

function readTimeout(value: unknown): number | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= MAX_TIMEOUT_MS) return value;
  throw invalid("timeout_ms", `a whole number from 1 to ${MAX_TIMEOUT_MS}`, value);
}

function readMetadata(value: unknown): Record<string, unknown> {
  if (value === undefined || value === null) return {};
  const fits = typeof value === "object" && !Array.isArray(value) && JSON.stringify(value).length <= MAX_METADATA_BYTES;
  if (fits) return value as Record<string, unknown>;
  throw invalid("metadata", `a JSON object of at most ${MAX_METADATA_BYTES} characters`, value);
}

/** The same request of the same principal, whatever the order of its fields. */
function fingerprintOf(principal: string, body: JsonObject): string {
  const fields = Object.entries(body).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256")
    .update(JSON.stringify([principal, fields]))
    .digest("base64url");
}
