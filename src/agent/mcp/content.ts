/** The result of an MCP tool, turned into a result of ours. Pure. */
import type { CallToolResult } from "@modelcontextprotocol/client";
import { asText } from "../tools/text.ts";
import { boundedParts, bytesOf, type GivenContent, type GivenPart } from "../tools/parts.ts";

type Content = CallToolResult["content"][number];

/** @param hide removes from a text what nobody may see */
export function contentOfResult(
  { content, structuredContent }: CallToolResult,
  hide: (text: string) => string,
): GivenContent {
  // A server with structured content repeats the content as text, for clients that read only text.
  if (content.length === 0 && structuredContent !== undefined) return hide(asText(structuredContent));
  return boundedParts(content.flatMap(partsOf), { hide });
}

function partsOf(part: Content): GivenPart[] {
  switch (part.type) {
    case "text":
      return [text(part.text)];
    case "image":
      return [{ type: "media", data: part.data }];
    case "audio":
      return [text(`[audio, ${part.mimeType}, ${bytesOf(part.data)} bytes]`)];
    case "resource_link":
      return [text(`[resource ${part.uri}${part.name ? `, ${part.name}` : ""}]`)];
    case "resource": {
      const { resource } = part;
      const head = `[resource ${resource.uri}${resource.mimeType ? `, ${resource.mimeType}` : ""}]`;
      if ("text" in resource) return [text(`${head}\n${resource.text}`)];
      return [text(head), { type: "media", data: resource.blob }];
    }
    default:
      return [text("[something that this version does not know]")];
  }
}

function text(words: string): GivenPart {
  return { type: "text", text: words };
}
