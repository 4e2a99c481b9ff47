/** Turns the tools that an MCP server offers into tools of ours. The model knows each as SERVER__TOOL. */
import type { Progress, Tool as McpTool } from "@modelcontextprotocol/client";
import type { Effects } from "../../engine/engine.ts";
import { failure, type Tool } from "../tools/invoke.ts";
import { reasonOf } from "../tools/text.ts";
import { contentOfResult } from "./content.ts";
import type { ManagedServer } from "./server.ts";

/** The names that the Messages API takes. */
const NAME = /^[a-zA-Z0-9_-]{1,128}$/;
/** The longest description: descriptions and schemas go to the model with every call. */
const MAX_DESCRIPTION_CHARACTERS = 4_096;
const MAX_PROGRESS_CHARACTERS = 500;

/** Characters that the API refuses in a name become `_`; a tool whose name is too long is left out. */
export function toolsFrom(server: ManagedServer, offered: readonly McpTool[]): Map<string, Tool> {
  const tools = new Map<string, Tool>();
  for (const tool of offered) {
    const name = `${server.name}__${tool.name.replaceAll(/[^a-zA-Z0-9_-]/g, "_")}`;
    if (NAME.test(name) && !tools.has(name)) tools.set(name, toolFrom(server, tool));
  }
  return tools;
}

function toolFrom(server: ManagedServer, { name, description, title, inputSchema, annotations }: McpTool): Tool {
  return {
    description: (description ?? title ?? name).slice(0, MAX_DESCRIPTION_CHARACTERS).toWellFormed(),
    inputSchema: inputSchema as Tool["inputSchema"],
    effects: effectsOf(annotations),
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
