/** Makes what the model reads of what an MCP tool returned. Pure. */
import type { CallToolResult } from "@modelcontextprotocol/client";
import { asText } from "../tools/text.ts";

type Content = CallToolResult["content"][number];

/** Pictures and other data are named by a mark: a tool result is text so far. */
export function textOfResult({ content, structuredContent }: CallToolResult): string {
  // Servers that structure their answer repeat it as text, for clients that read only that.
  if (content.length === 0 && structuredContent !== undefined) return asText(structuredContent);
  return asText(content.map(textOfPart).join("\n"));
}

function textOfPart(part: Content): string {
  switch (part.type) {
    case "text":
      return part.text;
    case "image":
    case "audio":
      return `[${part.type}, ${part.mimeType}, ${bytesOf(part.data)} bytes]`;
    case "resource_link":
      return `[resource ${part.uri}${part.name ? `, ${part.name}` : ""}]`;
    case "resource": {
      const { resource } = part;
      if ("text" in resource) return `[resource ${resource.uri}]\n${resource.text}`;
      return `[resource ${resource.uri}, ${resource.mimeType ?? "data"}, ${bytesOf(resource.blob)} bytes]`;
    }
    default:
      return "[something that this version does not know]";
  }
}

function bytesOf(base64: string): number {
  const padding = base64.endsWith("==") ? 2 : Number(base64.endsWith("="));
  return Math.floor(((base64.length - padding) * 3) / 4);
}
