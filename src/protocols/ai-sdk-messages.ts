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
  /** The index, in its run, of the first message. Default: 0. */
  readonly firstIndex?: number;
  /** Whether more messages of the newest run are in the page before. Default: false. */
  readonly isCutBehind?: boolean;
}

type UiPart = UiAnswer["parts"][number];

/** The client has dropped these, or has the same messages in another run. */
const DROPPED = new Set(["superseded", "retried"]);

/** The id of the question of a run. A client that edits it names the run by that. */
const QUESTION_ID = "question:";
/** Begins what tells the turns of one run apart in their ids. No id of a run has this character. */
const TURN_MARK = "#";

/** @returns the run of a message that came from here; undefined for a message that the client made */
export function runOfQuestion(id: string): string | undefined {
  return id.startsWith(QUESTION_ID) ? id.slice(QUESTION_ID.length).split(TURN_MARK, 1)[0] : undefined;
}

/** @param stored a page of a thread, the oldest first */
export function uiMessagesOf(stored: readonly StoredMessage[], options: UiMessagesOptions): UiAnswer[] {
  const { firstIndex = 0, isCutBehind = false } = options;
  const byRun = [...Map.groupBy(stored, ({ run_id: runId }) => runId)];
  return byRun.flatMap(([runId, messages], at) => {
    const [{ why } = {}] = messages;
    if (why !== undefined && DROPPED.has(why)) return [];
    const cut = { firstIndex: at === 0 ? firstIndex : 0, isCutBehind: isCutBehind && at === byRun.length - 1 };
    return messagesOfRun(runId, messages, { ...options, ...cut });
  });
}

/**
 * A question and its answer; before them, in the first run of a chat that began elsewhere, what was said there. The last
 * turn has the id of the run, and the turns before it have ids of their own.
 */
function messagesOfRun(
  runId: string,
  messages: readonly StoredMessage[],
  options: UiMessagesOptions & { readonly firstIndex: number; readonly isCutBehind: boolean },
): UiAnswer[] {
  const questions = messages.flatMap((message, index) => (isQuestion(message) ? [index] : []));
  // What stands before the first question is a greeting, or the rest of a turn that the page cuts.
  const starts = questions[0] === 0 ? questions : [0, ...questions];
  return starts.flatMap((start, index) => {
    const turn = messages.slice(start, starts[index + 1]);
    const isLast = index === starts.length - 1;
    const suffix = isLast && !options.isCutBehind ? "" : `${TURN_MARK}${options.firstIndex + start}`;
    const [first] = turn;
    const question = first && isQuestion(first) ? [questionOf(first, suffix, options)] : [];
    const isResumed = isLast && runId === options.resumed;
    const parts = isResumed ? [] : turn.flatMap((message, at) => stepOf(message, turn[at + 1], options));
    return [...question, ...(parts.length > 0 ? [{ id: `${runId}${suffix}`, role: "assistant" as const, parts }] : [])];
  });
}

/** The files of users' messages, whose types the messages need. */
export function filesIn(stored: readonly StoredMessage[]): string[] {
  const blocks = stored.flatMap((message) => (isQuestion(message) ? blocksOf(message) : []));
  return blocks.flatMap((block) => ("source" in block && block.source.type === "file" ? [block.source.file_id] : []));
}

/** Notes and compactions are messages of the user without content: no person wrote them. */
function isQuestion(message: StoredMessage): boolean {
  const blocks = blocksOf(message);
  return message.role === "user" && blocks.length > 0 && !blocks.some(({ type }) => type === "tool_result");
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
