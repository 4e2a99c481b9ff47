/**
 * The fields `tools` and `tool_choice` of a request.
 * Called by request.ts; throws the API's own sentences.
 */
import { matching, TOOL_NAME } from "./blocks.ts";
import { invalid } from "./errors.ts";
import { isRecord, type JsonObject } from "./json.ts";

export interface Tool {
  readonly name: string;
  readonly schema: JsonObject;
}

/** Tools that the client runs. The API's own (web search …) have a type and are left out. */
export function parseTools(tools: unknown): Tool[] {
  if (tools === undefined) return [];
  if (!Array.isArray(tools)) throw invalid("tools: Input should be a valid list");
  const parsed = tools.flatMap((tool: unknown, index) => parseTool(tool, `tools.${index}`));
  if (new Set(parsed.map(({ name }) => name)).size < parsed.length) throw invalid("tools: Tool names must be unique.");
  return parsed;
}

function parseTool(tool: unknown, at: string): Tool[] {
  if (!isRecord(tool)) throw invalid(`${at}: Input should be a valid dictionary`);
  if (tool["type"] !== undefined && tool["type"] !== "custom") return [];
  const { name, description, input_schema: schema } = tool;
  matching(name, TOOL_NAME, `${at}.custom.name`);
  if (description !== undefined && typeof description !== "string") {
    throw invalid(`${at}.custom.description: Input should be a valid string`);
  }
  if (!isRecord(schema)) throw invalid(`${at}.custom.input_schema: Field required`);
  if (schema["type"] !== "object") throw invalid(`${at}.custom.input_schema.type: Input should be 'object'`);
  refuseOddSchema(schema, `${at}.custom.input_schema`);
  return [{ name: String(name), schema }];
}

const PROPERTY_NAME = /^[a-zA-Z0-9_.-]{1,64}$/;

function refuseOddSchema(schema: JsonObject, at: string): void {
  if (["oneOf", "allOf", "anyOf"].some((name) => schema[name] !== undefined))
    throw invalid(`${at}: input_schema does not support oneOf, allOf, or anyOf at the top level`);
  const { properties } = schema;
  for (const name of Object.keys(isRecord(properties) ? properties : {}))
    if (!PROPERTY_NAME.test(name))
      throw invalid(`${at}.properties: Property keys should match pattern '${PROPERTY_NAME.source}'`);
}

/** What the client wants: any tool, a certain tool, no tool, or the model's own choice. */
export type Choice = { readonly type: "auto" | "any" | "none" } | { readonly type: "tool"; readonly name: string };

/** @param names of all tools of the request, the API's own included */
export function parseChoice(choice: unknown, names: readonly string[]): Choice {
  if (choice === undefined) return { type: "auto" };
  if (!isRecord(choice)) throw invalid("tool_choice: Input should be a valid dictionary");
  if (names.length === 0) throw invalid("tool_choice: `tool_choice` may only be specified while providing `tools`.");
  const { type, name } = choice;
  if (type === "auto" || type === "any" || type === "none") return { type };
  if (type !== "tool") {
    throw invalid(
      `tool_choice: Input tag '${String(type)}' found using 'type' does not match any of the expected tags: 'auto', 'any', 'tool', 'none'`,
    );
  }
  if (typeof name !== "string" || !names.includes(name))
    throw invalid(`Tool '${String(name)}' not found in provided tools`);
  return { type, name };
}

export function toolNamesIn(tools: unknown): string[] {
  return Array.isArray(tools)
    ? tools.flatMap((tool) => (isRecord(tool) ? [String(tool["name"] ?? tool["type"])] : []))
    : [];
}
