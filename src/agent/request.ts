/**
 * One request to the Messages API, from an agent and its rendered thread. The prompt is marked for the cache: the
 * tools, the system prompt, and the conversation at two places: where the last step ended, and at its end now. So each
 * step reads what the step before has written (https://docs.claude.com/en/docs/build-with-claude/prompt-caching). Pure.
 */
import type {
  CacheControlEphemeral,
  MessageCreateParamsStreaming,
  MessageParam,
  TextBlockParam,
  Tool,
} from "@anthropic-ai/sdk/resources/messages";
import type { PreparedAgent } from "../core/agent.ts";
import type { ModelBlock, ModelMessage } from "./history/model-message.ts";
import type { Tools } from "./tools/invoke.ts";
import { describeTools } from "./tools/registry.ts";

export interface Prompt {
  readonly agent: PreparedAgent;
  readonly tools: Tools;
  readonly messages: readonly ModelMessage[];
  /** Text behind the system prompt, one paragraph each. */
  readonly more: readonly string[];
  /** False for the last word. The tools stay in the request, because its history may have calls. */
  readonly mayCallTools: boolean;
  readonly isCached: boolean;
}

const MARK: { readonly cache_control: CacheControlEphemeral } = { cache_control: { type: "ephemeral" } };

const THINKING: ReadonlySet<string> = new Set(["thinking", "redacted_thinking"]);

/** The API takes no mark on thinking, and perhaps none on blocks of unknown types. */
const MARKABLE: ReadonlySet<string> = new Set(["text", "tool_result", "image", "document"]);

export function requestOf({
  agent,
  tools,
  messages,
  more,
  mayCallTools,
  isCached,
}: Prompt): MessageCreateParamsStreaming {
  const { model, maxTokens, thinking } = agent;
  const { betas: _betas, tools: serverTools = [], ...options } = agent.request ?? {};
  const described = [...(serverTools as unknown as Tool[]), ...describeTools(tools)];
  const system = systemOf(agent.system, more, isCached);
  return {
    // First, so that the fields below override them.
    ...options,
    model,
    max_tokens: maxTokens,
    stream: true,
    // `Transcript` renders what the API takes. Blocks of types that the SDK does not know go back as they came.
    messages: (isCached ? marked(messages) : messages) as unknown as MessageParam[],
    ...(system.length > 0 && { system }),
    ...(described.length > 0 && { tools: isCached ? markLastTool(described) : described }),
    ...(described.length > 0 && !mayCallTools && { tool_choice: { type: "none" } }),
    ...(thinking === "adaptive" && { thinking: { type: "adaptive", display: "summarized" } }),
    ...(typeof thinking === "number" &&
      mayThink(messages) && { thinking: { type: "enabled", budget_tokens: thinking } }),
  };
}

/**
 * The API takes no fixed budget of thinking while results come last and the first of their calls has no thinking before
 * it: another model made that call, and its thinking stays with it.
 */
function mayThink(messages: readonly ModelMessage[]): boolean {
  const asked = messages.findLastIndex(
    ({ role, content }) => role === "user" && !content.some(({ type }) => type === "tool_result"),
  );
  const [first] = messages[asked + 1]?.content ?? [];
  return !first || THINKING.has(first.type);
}

/** The text behind the prompt differs from run to run, so the mark stands before it. */
function systemOf(system: string | undefined, more: readonly string[], isCached: boolean): TextBlockParam[] {
  const [first, ...others] = [system ?? "", ...more].filter((text) => text.trim() !== "");
  if (first === undefined) return [];
  return [
    { type: "text", text: first, ...(isCached && MARK) },
    ...others.map((text) => ({ type: "text", text }) as const),
  ];
}

/** Marks the last two messages of the user: there, this step and the step before ask for an answer. */
function marked(messages: readonly ModelMessage[]): ModelMessage[] {
  const users = messages.flatMap(({ role }, index) => (role === "user" ? [index] : [])).slice(-2);
  return messages.map((message, index) => (users.includes(index) ? markLast(message) : message));
}

function markLast(message: ModelMessage): ModelMessage {
  const last = message.content.at(-1);
  if (!last || !MARKABLE.has(last.type)) return message;
  const block: ModelBlock = { ...last, ...MARK };
  return { ...message, content: [...message.content.slice(0, -1), block] };
}

function markLastTool(tools: readonly Tool[]): Tool[] {
  return tools.map((tool, index) => (index === tools.length - 1 ? { ...tool, ...MARK } : tool));
}
