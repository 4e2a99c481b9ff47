/**
 * A reply as the JSON value that `response_format` asks for. The schema is a client's, and a short schema can take
 * hours to check: each of its definitions may try the next one twice. So the check has a bound of time; without one it
 * would hold up the loop of all runs of this process.
 */
import { Script } from "node:vm";
import { z } from "zod";
import type { ResponseFormat } from "../core/asked.ts";
import { isDeeper, MAX_JSON_LEVELS } from "../core/json-levels.ts";

/** A check of the longest reply takes some 50 ms. */
const MAX_CHECK_MS = 500;
/** V8 ends code early only when a script has called the code. */
const CALL = new Script("check()");

/** @returns the reply as a JSON value, or why it does not fit */
export function outputOf(
  reply: string,
  { schema }: ResponseFormat,
): { readonly output: unknown } | { readonly reason: string } {
  let value: unknown;
  try {
    value = JSON.parse(withoutFence(reply));
  } catch {
    return { reason: "it is not JSON" };
  }
  if (isDeeper(value)) return { reason: `it is nested more than ${MAX_JSON_LEVELS} levels deep` };
  const reason = inTime(() => misfitOf(value, schema));
  return reason === undefined ? { output: value } : { reason };
}

function misfitOf(value: unknown, schema: ResponseFormat["schema"]): string | undefined {
  const { error } = z.fromJSONSchema(schema).safeParse(value);
  return error && z.prettifyError(error);
}

/** @returns what `check` returns, or why it was not done */
function inTime(check: () => string | undefined): string | undefined {
  // zod sets the limit to 0 for a moment, and an early end may fall into that moment.
  const { stackTraceLimit } = Error;
  try {
    return CALL.runInNewContext({ check }, { timeout: MAX_CHECK_MS }) as string | undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_SCRIPT_EXECUTION_TIMEOUT")
      return `checking it took longer than ${MAX_CHECK_MS} ms: the schema has too many alternatives at one place`;
    throw error;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Models tend to put JSON into a code fence, even when they are asked not to. */
function withoutFence(reply: string): string {
  const [, inside] = /^\s*```(?:json)?\n([^]*)\n```\s*$/.exec(reply) ?? [];
  return inside ?? reply;
}
