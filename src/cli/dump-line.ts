/** Checks a line of an export before it is stored, as somebody may have edited it or written it. Called by `dump.ts`. */
import { z } from "zod";
import { chosenId } from "../api/fields.ts";
import type { ThreadDump } from "../engine/rules/dump.ts";
import { CliError } from "./connection.ts";

const count = () => z.int().min(0);
const json = () =>
  z.string().refine((text) => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  }, "expected JSON");
/** As the server writes JSON: it looks there for the files that a message or a result names (`rules/file-uses.ts`). */
const compactJson = () => json().transform((text) => JSON.stringify(JSON.parse(text)));
/** Columns that nothing depends on, also those of an evenkeel that is older. */
const rest = z.union([z.string(), z.number(), z.null()]);

const RUN = z
  .object({
    id: chosenId(),
    thread_id: chosenId(),
    agent_id: z.string().min(1),
    parent_id: chosenId().nullable(),
    retry_of: chosenId().nullable(),
    status: z.enum(["completed", "failed", "canceled"]),
    created_at: count(),
    started_at: count().nullable(),
    finished_at: count().nullable(),
    fence: count(),
    attempts: count(),
    steps: count(),
    usage: json().nullable(),
    metadata: json(),
    error: json().nullable(),
    principal: z.string().min(1),
  })
  .catchall(rest);

const DUMPED_RUN = z.object({
  run: RUN,
  messages: z.array(
    z.object({ role: z.enum(["user", "assistant"]), content: compactJson(), at: count() }).catchall(rest),
  ),
  events: z.array(
    z.object({ seq: z.int().min(1), type: z.string().min(1), data: json(), joined: json().nullable().default(null) }),
  ),
  tool_calls: z.array(
    z
      .object({
        step: count(),
        id: z.string(),
        name: z.string(),
        effects: z.string(),
        result: compactJson().nullable().default(null),
      })
      .catchall(rest),
  ),
});

const THREAD = z.object({
  id: chosenId(),
  principal: z.string().min(1),
  created_at: count(),
  updated_at: count(),
  listed: z.literal([0, 1]),
});

const DUMP = z
  .object({ thread: THREAD, runs: z.array(DUMPED_RUN) })
  .refine(
    ({ thread, runs }) => runs.every(({ run }) => run.thread_id === thread.id),
    "expected runs of this thread only",
  );

/**
 * @param place of the line, for the error
 * @throws CliError that names the field
 */
export function readDumpLine(line: string, place: string): ThreadDump {
  const checked = DUMP.safeParse(valueOf(line, place));
  if (checked.success) return checked.data as ThreadDump;
  throw new CliError(`${place} is no thread that \`evenkeel export\` wrote: ${z.prettifyError(checked.error)}`);
}

function valueOf(line: string, place: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new CliError(`${place} is no JSON; \`evenkeel export\` writes one thread a line.`);
  }
}
