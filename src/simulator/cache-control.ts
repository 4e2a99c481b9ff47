/**
 * The `cache_control` marks of a request.
 * Called by request.ts; throws the API's own sentences.
 */
import { invalid } from "./errors.ts";
import { isRecord, type JsonObject } from "./json.ts";

const MAX_MARKS = 4;

/** @throws Refusal when a mark is none, or there are too many */
export function checkCacheControl({ system, tools, messages, cache_control: automatic }: JsonObject): void {
  const marks = [system, tools, ...contentsOf(messages)].flatMap(marksIn);
  if (automatic !== undefined && automatic !== null) marks.push(automatic);
  for (const mark of marks) {
    if (!isRecord(mark) || mark["type"] !== "ephemeral")
      throw invalid("cache_control.type: Input should be 'ephemeral'");
    const { ttl } = mark;
    if (ttl !== undefined && ttl !== "5m" && ttl !== "1h") {
      throw invalid("cache_control.ephemeral.ttl: Input should be '5m' or '1h'");
    }
  }
  if (marks.length > MAX_MARKS) {
    throw invalid(`A maximum of ${MAX_MARKS} blocks with cache_control may be provided. Found ${marks.length}.`);
  }
}

const contentsOf = (messages: unknown): unknown[] =>
  Array.isArray(messages) ? messages.map((message) => (isRecord(message) ? message["content"] : undefined)) : [];

function marksIn(blocks: unknown): unknown[] {
  if (!Array.isArray(blocks)) return [];
  return blocks.flatMap((block: unknown) => (isRecord(block) ? [block["cache_control"] ?? []] : []).flat());
}
