/**
 * The words of an answer without /sim tokens=: short, helpful, honest that this is the simulated model.
 * Called by script.ts; pure and deterministic: the same message gives the same bytes, so tests can compare them.
 */
import type { PlannedCall } from "./calls.ts";
import type { Conversation, ToolAnswer } from "./conversation.ts";
import { hashOf } from "./signature.ts";
import type { Tool } from "./tools-field.ts";

const OPENINGS = ["Happy to help.", "Understood.", "Thanks for the message.", "Good question."] as const;

const MAX_ECHO_CHARACTERS = 80;
const MAX_RESULT_CHARACTERS = 2_000;

export interface Occasion {
  readonly conversation: Conversation;
  readonly calls: readonly PlannedCall[];
  readonly tools: readonly Tool[];
}

export function answerText({ conversation, calls, tools }: Occasion): string {
  if (calls.length > 0) return `I will call ${listed(calls.map(({ name }) => name))}.`;
  if (conversation.results.length > 0) return conversation.results.map(resultText).join("\n\n");
  if (/\b(markdown|code)\b/i.test(conversation.text)) return markdownText(conversation);
  return [
    OPENINGS[hashOf(conversation.text) % OPENINGS.length],
    `I am the simulated model, and you wrote ${echo(conversation.text)}.`,
    ...attachmentsText(conversation.attachments),
    `${turnText(conversation.turns)}${toolsText(tools)}`,
  ].join(" ");
}

function resultText({ name, text, isError }: ToolAnswer): string {
  return `The tool ${name} ${isError ? "failed" : "answered"}: ${cut(text, MAX_RESULT_CHARACTERS)}`;
}

function markdownText({ text, turns }: Conversation): string {
  return [
    "Here is some **Markdown** from the simulated model:",
    `- you wrote ${echo(text)}\n- ${turnText(turns)}\n- your message has ${text.length} characters`,
    `\`\`\`js\nconst message = ${JSON.stringify(excerpt(text))};\nconsole.log(message.length);\n\`\`\``,
    "Nothing here was thought about by a real model.",
  ].join("\n\n");
}

function attachmentsText({ image, document }: Conversation["attachments"]): string[] {
  const seen = [counted(image, "picture"), counted(document, "document")].filter((words) => words !== "");
  return seen.length > 0 ? [`You sent ${listed(seen)}.`] : [];
}

const counted = (count: number, noun: string): string =>
  count === 0 ? "" : `${count} ${noun}${count === 1 ? "" : "s"}`;

const turnText = (turns: number): string => `This is turn ${turns} of our conversation.`;

const toolsText = (tools: readonly Tool[]): string =>
  tools.length === 0
    ? ""
    : ` Name one of my tools (${listed(tools.slice(0, 5).map(({ name }) => name))}) to see it run.`;

const listed = (names: readonly string[]): string =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;

const echo = (text: string): string => (text === "" ? "nothing but a /sim line" : `“${excerpt(text)}”`);

const excerpt = (text: string): string =>
  cut(text.slice(0, 4 * MAX_ECHO_CHARACTERS).replace(/\s+/g, " "), MAX_ECHO_CHARACTERS);

// Never cut between the halves of a surrogate pair: the second half alone is not a character.
const cut = (text: string, characters: number): string =>
  text.length <= characters ? text : `${text.slice(0, characters).replace(/[\uD800-\uDBFF]$/, "")}…`;
