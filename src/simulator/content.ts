/**
 * The content blocks of an answer as the API writes them: as they begin in a stream, and whole.
 * Called by steps.ts; pure but for the ids.
 */
import type { NewId } from "./ids.ts";
import { parseJson } from "./json.ts";
import { joined, type Script, type ScriptBlock } from "./script.ts";
import { signatureOf } from "./signature.ts";

/** The state that the blocks of one answer share. */
export interface BlockIds {
  /** A block's own id. Call it once for each block, in order: a result answers the call before it. */
  of(block: ScriptBlock, index: number): string;
}

export function blockIds({ ids }: Script, newId: NewId): BlockIds {
  let serverCall = "";
  return {
    of(block, index) {
      if (block.type === "server_tool_result") return block.id ?? serverCall;
      if (block.type === "server_tool_use") return (serverCall = newId("srvtoolu"));
      if (block.type !== "tool_use") return "";
      if (ids === "same") return "toolu_same";
      return ids === "odd" ? `functions.${block.name}:${index}` : newId("toolu");
    },
  };
}

/** The block as `content_block_start` has it: fields that come in deltas are empty. */
export function emptyBlock(block: ScriptBlock, id: string): object {
  switch (block.type) {
    case "text":
      return { type: "text", text: "" };
    case "thinking":
      return { type: "thinking", thinking: "", signature: "" };
    case "server_tool_result":
      return serverResult(block.name, id);
    default:
      return { type: block.type, id, name: block.name, input: {} };
  }
}

/** The block as it stands in a message that is sent in one piece. */
export function wholeBlock(block: ScriptBlock, id: string, model: string): object {
  const said = joined(block.deltas);
  switch (block.type) {
    case "text":
      return { type: "text", text: said, ...(block.cites && { citations: [CITATION] }) };
    case "thinking":
      return { type: "thinking", thinking: said, signature: block.signed ? signatureOf(model, [said]) : "" };
    case "server_tool_result":
      return serverResult(block.name, id);
    default:
      // An input that `max_tokens` cut short is not valid JSON; the API then returns an empty object.
      return { type: block.type, id, name: block.name, input: parseJson(said) ?? {} };
  }
}

function serverResult(name: string, id: string): object {
  return { type: `${name}_tool_result`, tool_use_id: id, content: RESULTS[name] ?? [] };
}

/** A citation of the page that the web search found. */
export const CITATION = {
  type: "web_search_result_location",
  cited_text: "A page that does not exist.",
  encrypted_index: "c2ltdWxhdGVk",
  title: "A page that the simulated model found",
  url: "https://example.org/simulated",
};

const RESULTS: Readonly<Record<string, unknown>> = {
  web_search: [
    {
      type: "web_search_result",
      title: "A page that the simulated model found",
      url: "https://example.org/simulated",
      encrypted_content: "c2ltdWxhdGVk",
      page_age: null,
    },
  ],
  code_execution: { type: "code_execution_result", stdout: "42\n", stderr: "", return_code: 0, content: [] },
};
