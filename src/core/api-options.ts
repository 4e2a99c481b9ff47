/**
 * What an agent may add to the requests of its model calls: options of the Messages API that have no field in the
 * configuration, and HTTP headers. What the server sets itself cannot be set here. Used by `agent.ts`; pure.
 */
import { z } from "zod";
import { field } from "./config-fields.ts";

/** Options of the API's reference, word for word: temperature, stop_sequences, tool_choice, output_config, betas … */
export function apiOptions() {
  return field(z.record(z.string(), z.json()), "to be an object of options of the Messages API");
}

export function httpHeaders() {
  return field(
    z.record(z.string().regex(/^[\w!#$%&'*+.^`|~-]+$/), z.string().regex(/^[\x20-\x7e]*$/)),
    "to be an object of HTTP headers: names, and values of visible ASCII",
  );
}

/** Options that have a field of their own in the configuration. */
const NAMED: Readonly<Record<string, string>> = {
  model: "model",
  max_tokens: "maxTokens",
  system: "system",
  thinking: "thinking",
  cache_control: "cache",
};
/** Options that every request has already. */
const OWN_OPTIONS: ReadonlySet<string> = new Set(["messages", "stream"]);
const OWN_HEADERS: ReadonlySet<string> = new Set(
  (
    "authorization x-api-key anthropic-version accept accept-encoding content-type content-length host connection " +
    "transfer-encoding te upgrade expect trailer"
  ).split(" "),
);

type Options = Readonly<Record<string, unknown>>;

/** Sentences that follow the word "expected". */
export function conflictsIn(request: Options = {}, headers: Readonly<Record<string, string>> = {}): string[] {
  return [
    ...Object.keys(request).flatMap((name) => {
      const field_ = Object.hasOwn(NAMED, name) ? NAMED[name] : undefined;
      if (field_ !== undefined) return [`no \`request.${name}\`; the agent's own \`${field_}\` says it`];
      return OWN_OPTIONS.has(name) ? [`no \`request.${name}\`; the server says it itself`] : [];
    }),
    ...problemsOfTools(request["tools"]),
    ...problemsOfBetas(request["betas"], headers),
    ...Object.keys(headers).flatMap((name) =>
      OWN_HEADERS.has(name.toLowerCase()) ? [`no \`headers.${name}\`; the server sends it itself`] : [],
    ),
  ];
}

/** Tools that run at the API have a type. Our own tools belong in `tools`. */
function problemsOfTools(tools: unknown): string[] {
  if (tools === undefined) return [];
  const isFine = Array.isArray(tools) && tools.every((tool: unknown) => isServerTool(tool));
  if (!isFine) return ["`request.tools` to be a list of tools that run at the API, each with a `type`"];
  // With the server's own marks there could be more than the API takes.
  const isMarked = tools.some((tool: object) => "cache_control" in tool);
  return isMarked
    ? ["no `cache_control` in `request.tools`; the server marks tools itself, unless `cache` is false"]
    : [];
}

function isServerTool(tool: unknown): boolean {
  return typeof tool === "object" && tool !== null && "type" in tool && tool.type !== "custom";
}

function problemsOfBetas(betas: unknown, headers: Readonly<Record<string, string>>): string[] {
  if (betas === undefined) return [];
  const isFine = Array.isArray(betas) && betas.every((beta) => typeof beta === "string" && /^[\w.-]+$/.test(beta));
  if (!isFine) return ["`request.betas` to be a list of names"];
  const header = Object.keys(headers).find((name) => name.toLowerCase() === "anthropic-beta");
  return header === undefined ? [] : [`no \`headers.${header}\`; \`request.betas\` says it`];
}

/** The headers of a model call: the agent's own, and its betas, which the API takes only as a header. */
export function headersOf({
  request,
  headers,
}: {
  request?: Options | undefined;
  headers?: Record<string, string> | undefined;
}) {
  const betas = request?.["betas"];
  return { ...headers, ...(Array.isArray(betas) && { "anthropic-beta": betas.join(",") }) };
}
