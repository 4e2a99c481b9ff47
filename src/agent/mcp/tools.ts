/** Turns the tools that an MCP server offers into tools of ours. The model knows each as SERVER__TOOL. */
import type { Progress, Tool as McpTool } from "@modelcontextprotocol/client";
import type { Effects } from "../../engine/engine.ts";
import { PROPERTY_NAME } from "../tools/check-tool.ts";
import { failure, type Tool } from "../tools/invoke.ts";
import { reasonOf } from "../tools/text.ts";
import { contentOfResult } from "./content.ts";
import type { ManagedServer } from "./server.ts";

/** The names that the Messages API takes. */
const NAME = /^[a-zA-Z0-9_-]{1,128}$/;
/** The longest description: descriptions and schemas go to the model with every call. */
const MAX_DESCRIPTION_CHARACTERS = 4_096;
const MAX_PROGRESS_CHARACTERS = 500;

/**
 * Characters that the API refuses in a name become `_`. A tool that the API would refuse all the same is left out: one
 * such tool would make every request of its agents fail.
 */
export function toolsFrom(server: ManagedServer, offered: readonly McpTool[]): Map<string, Tool> {
  const { usable } = sorted(server.name, offered);
  return new Map([...usable].map(([name, tool]) => [name, toolFrom(server, tool)]));
}

/** Sentences about the tools that `toolsFrom` leaves out, for the log. */
export function whyLeftOut(server: string, offered: readonly McpTool[]): string[] {
  return sorted(server, offered).leftOut;
}

function sorted(server: string, offered: readonly McpTool[]) {
  const usable = new Map<string, McpTool>();
  const leftOut: string[] = [];
  for (const tool of offered) {
    const name = `${server}__${tool.name.replaceAll(/[^a-zA-Z0-9_-]/g, "_")}`;
    const odd = Object.keys(tool.inputSchema.properties ?? {}).find((property) => !PROPERTY_NAME.test(property));
    if (!NAME.test(name)) leftOut.push(`${tool.name}: its name is too long.`);
    else if (usable.has(name)) leftOut.push(`${tool.name}: another tool is ${name} already.`);
    else if (odd !== undefined) leftOut.push(`${tool.name}: the model takes no argument named ${JSON.stringify(odd)}.`);
    else usable.set(name, tool);
  }
  return { usable, leftOut };
}

function toolFrom(server: ManagedServer, { name, description, title, inputSchema, annotations }: McpTool): Tool {
  return {
    description: (description ?? title ?? name).slice(0, MAX_DESCRIPTION_CHARACTERS).toWellFormed(),
    inputSchema: withoutChoices(inputSchema),
    effects: effectsOf(annotations),
    // The server runs elsewhere.
    contained: true,
    invoke: async (input, { signal, report, timeoutMs }) => {
      // The server checks the arguments against its schema. The protocol only needs them to be an object.
      if (typeof input !== "object" || input === null || Array.isArray(input))
        return failure("The arguments do not fit: expected an object.");
      try {
        const result = await server.call({
          tool: name,
          input: input as Record<string, unknown>,
          signal,
          timeoutMs,
          onProgress: (progress) => report({ type: "progress", progress: progressOf(progress) }),
        });
        return { content: contentOfResult(result, (text) => server.hide(text)), isError: result.isError === true };
      } catch (error) {
        return failure(reasonOf(error));
      }
    },
  };
}

/** The API refuses a choice between whole inputs. The server checks the arguments, so the model need not know it. */
function withoutChoices({
  anyOf: _any,
  oneOf: _one,
  allOf: _all,
  ...schema
}: McpTool["inputSchema"]): Tool["inputSchema"] {
  return schema as Tool["inputSchema"];
}

/** The server's message, or a fraction of 1, or its plain count when it does not say the total. */
function progressOf({ progress, total, message }: Progress): string | number {
  if (message !== undefined) return message.slice(0, MAX_PROGRESS_CHARACTERS).toWellFormed();
  return total !== undefined && total > 0 ? Math.min(1, Math.max(0, progress / total)) : String(progress);
}

/** The annotations are trusted, because an operator chose the server. */
function effectsOf(annotations: McpTool["annotations"]): Effects {
  if (annotations?.readOnlyHint) return "pure";
  return annotations?.idempotentHint ? "idempotent" : "unsafe";
}
