/**
 * A stored thread as messages of the AI SDK, so that a page that is opened again shows the chat
 * (https://ai-sdk.dev/docs/reference/ai-sdk-core/ui-message). The same run gives the same message here and in
 * `ai-sdk-stream.ts`: one message, whose id is the run's. Pure.
 */
import type { UiAnswer } from "../api/ai-sdk.ts";
import { resultInJournal, textInJournal } from "../core/event.ts";
import { filePath } from "../core/file.ts";
import type { ContentBlock, StoredMessage, ToolResultBlock } from "../core/message.ts";

export interface UiMessagesOptions {
  /** The runs that are not over. */
  readonly underWay: ReadonlySet<string>;
  /** The run whose answer comes by `GET /api/chat/{id}/stream`, so that it is left out here. */
  readonly resumed: string | undefined;
  /** By id of the file. */
  readonly mediaTypes: ReadonlyMap<string, string>;
  /** The path of a proxy under which clients read files. */
  readonly basePath: string;
}

type UiPart = UiAnswer["parts"][number];

/** The client has dropped these, or has the same messages in another run. */
const DROPPED = new Set(["superseded", "retried"]);

/** The id of the question of a run. A client that edits it names the run by that. */
export const QUESTION_ID = "question:";

export function uiMessagesOf(stored: readonly StoredMessage[], options: UiMessagesOptions): UiAnswer[] {
  const shown = stored.filter(({ why }) => why === undefined || !DROPPED.has(why));
  const byRun = Map.groupBy(shown, ({ run_id: runId }) => runId);
  return [...byRun].flatMap(([runId, messages]) => messagesOfRun(runId, messages, options));
}

/** A question and its answer; before them, in the first run of a chat that began elsewhere, what was said there. */
function messagesOfRun(runId: string, messages: readonly StoredMessage[], options: UiMessagesOptions): UiAnswer[] {
  const starts = messages.flatMap((message, index) => (isQuestion(message) ? [index] : []));
  const turns = (starts.length > 0 ? starts : [0]).map((start, index) => messages.slice(start, starts[index + 1]));
  return turns.flatMap((turn, index) => {
    const suffix = index < turns.length - 1 ? `:${index}` : "";
    const [first] = turn;
    const question = first && isQuestion(first) ? [questionOf(first, suffix, options)] : [];
    const isResumed = runId === options.resumed && suffix === "";
    const parts = isResumed ? [] : turn.flatMap((message, at) => stepOf(message, turn[at + 1], options));
    return [...question, ...(parts.length > 0 ? [{ id: `${runId}${suffix}`, role: "assistant" as const, parts }] : [])];
  });
}

/** The files of users' messages, whose types the messages need. */
export function filesIn(stored: readonly StoredMessage[]): string[] {
  const blocks = stored.flatMap((message) => (isQuestion(message) ? blocksOf(message) : []));
  return blocks.flatMap((block) => ("source" in block && block.source.type === "file" ? [block.source.file_id] : []));
}

function isQuestion(message: StoredMessage): boolean {
  return message.role === "user" && !blocksOf(message).some(({ type }) => type === "tool_result");
}

function blocksOf({ content }: StoredMessage): readonly ContentBlock[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : content;
}

function questionOf(message: StoredMessage, suffix: string, { mediaTypes, basePath }: UiMessagesOptions): UiAnswer {
  const parts = blocksOf(message).flatMap((block): UiPart[] => {
    if (block.type === "text") return [{ type: "text", text: block.text }];
    if (block.type !== "image" && block.type !== "document") return [];
    const { type, source } = block;
    const usual = type === "image" ? "image/*" : "application/pdf";
    if (source.type === "url") return [{ type: "file", mediaType: usual, url: source.url }];
    const url = `${basePath}${filePath(source.file_id)}`;
    return [{ type: "file", mediaType: mediaTypes.get(source.file_id) ?? usual, url }];
  });
  return { id: `${QUESTION_ID}${message.run_id}${suffix}`, role: "user", parts };
}

/** One answer of the model. @param next has the results of its calls */
function stepOf(
  message: StoredMessage,
  next: StoredMessage | undefined,
  { underWay, basePath }: UiMessagesOptions,
): UiPart[] {
  if (message.role !== "assistant") return [];
  const isOver = !underWay.has(message.run_id);
  const results = (next ? blocksOf(next) : []).filter((block) => block.type === "tool_result");
  const resultOf = (id: string) => results.find(({ tool_use_id: of }) => of === id);
  const parts = blocksOf(message).flatMap((block): UiPart[] =>
    block.type === "tool_use"
      ? [{ ...callOf(block), ...outcomeOf(resultOf(block.id), { isOver, basePath }) }]
      : wordsOf(block),
  );
  return [{ type: "step-start" }, ...parts];
}

function wordsOf(block: ContentBlock): UiPart[] {
  switch (block.type) {
    case "text":
      return [{ type: "text", text: block.text, state: "done" }, ...(block.citations ?? []).flatMap(sourceOf)];
    case "thinking":
      return [{ type: "reasoning", text: block.thinking, state: "done" }];
    default:
      return [];
  }
}

function callOf({ id, name, input }: Extract<ContentBlock, { type: "tool_use" }>) {
  return { type: "dynamic-tool", toolName: name, toolCallId: id, input, providerExecuted: true };
}

function outcomeOf(
  result: ToolResultBlock | undefined,
  { isOver, basePath }: { readonly isOver: boolean; readonly basePath: string },
): object {
  if (!result && !isOver) return { state: "input-available" };
  if (!result) return { state: "output-error", errorText: "The run ended before the tool did." };
  const output = resultInJournal(result.content, basePath);
  if (result.is_error) return { state: "output-error", errorText: textInJournal(output) };
  return { state: "output-available", output };
}

function sourceOf({ url, title }: Readonly<Record<string, unknown>>): UiPart[] {
  if (typeof url !== "string") return [];
  return [{ type: "source-url", sourceId: url, url, ...(typeof title === "string" && { title }) }];
}
