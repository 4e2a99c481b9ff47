/** Finds at boot what the server or the Messages API would refuse in a tool, when the tool's file is described. */
import { z } from "zod";
import { EFFECTS } from "../../engine/engine.ts";
import { ISOLATIONS, type DefinedTool } from "./tool.ts";

const isFunction = z.custom((value) => typeof value === "function", "Expected a function");
/** A schema of zod 4, also of another copy of zod. */
const isSchema = z.custom(
  (value) => typeof value === "object" && value !== null && "_zod" in value,
  "Expected a schema of zod 4: z.object({ … })",
);
// Timers take no more than 2^31 - 1 ms.
const wholeNumber = (max: number) => z.int().min(1).max(max);

const definition = z.strictObject({
  description: z.string().trim().min(1),
  input: isSchema,
  effects: z.enum(EFFECTS),
  isolation: z.enum(ISOLATIONS),
  timeoutMs: wholeNumber(2_147_483_647),
  memoryMb: wholeNumber(1_048_576),
  run: isFunction,
});

/** The names of arguments that the Messages API takes. */
export const PROPERTY_NAME = /^[a-zA-Z0-9_.-]{1,64}$/;

/** @throws Error that lists everything that has to be corrected */
export function checkTool(tool: unknown): asserts tool is DefinedTool {
  const { error } = definition.safeParse(tool);
  if (!error) return;
  const known = Object.keys(definition.shape).join(", ");
  const problems = error.issues.map((issue) =>
    issue.code === "unrecognized_keys"
      ? `Expected no ${issue.keys.map((key) => `\`${key}\``).join(", ")}; a tool knows ${known}.`
      : `\`${issue.path.join(".")}\`: ${issue.message}.`,
  );
  throw new Error(problems.join(" "));
}

/** @throws Error for a schema that cannot be described to the model */
export function schemaOf({ input }: Pick<DefinedTool, "input">): { type: "object"; [key: string]: unknown } {
  const schema = z.toJSONSchema(input, { io: "input" });
  if (schema.type !== "object")
    throw new Error("Expected `input` to be an object, because the model sends arguments by name: z.object({ … }).");
  for (const name of Object.keys(schema.properties ?? {}))
    if (!PROPERTY_NAME.test(name))
      throw new Error(
        `\`input\`: expected names of letters, digits, _, . and -, 64 at most, got ${JSON.stringify(name)}.`,
      );
  return schema as ReturnType<typeof schemaOf>;
}
