/** The JSON Schema of a tool's arguments, as the Messages API wants it. */
import { z } from "zod";
import type { Tool } from "./invoke.ts";
import type { DefinedTool } from "./tool.ts";

/** @throws Error that says what the API would refuse, or why the schema cannot be described */
export function schemaOf({ input }: Pick<DefinedTool, "input">): Tool["inputSchema"] {
  if (!(input instanceof z.ZodType))
    throw new Error("Expected `input` to be a schema of zod 4: input: z.object({ … }).");
  const schema = z.toJSONSchema(input, { io: "input" });
  if (schema.type !== "object")
    throw new Error("Expected `input` to be an object, because the model sends arguments by name: z.object({ … }).");
  return schema as Tool["inputSchema"];
}
