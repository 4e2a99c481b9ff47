/** The message that a person writes: its text and files, kept while another page is shown. Used by the composer. */
import { useEffect, useState } from "preact/hooks";
import { filesOf, question, textOf, type Question } from "../../run-view/question.ts";
import { useAttachments } from "./attach.tsx";
import type { Attachments } from "./attachments.ts";
import { keepDraft, readDraft } from "./unsent.ts";

interface WrittenMessage {
  readonly text: string;
  readonly setText: (text: string) => void;
  readonly attachments: Attachments;
  readonly isEmpty: boolean;
  /** The reason why the message cannot be sent, for people. */
  readonly hindrance: string | null;
  /** Empties the message. */
  readonly take: () => Question;
}

/** @param taken a message that comes back, and is put in front of the present text */
export function useMessage(place: string, taken: Question | null): WrittenMessage {
  const [text, setText] = useDraft(place);
  const attachments = useAttachments(place);
  const files = attachments.list.value;
  useEffect(() => {
    if (!taken) return;
    const before = textOf(taken);
    setText(text === "" ? before : `${before}\n${text}`);
    attachments.restore(filesOf(taken));
  }, [taken]);
  const take = () => {
    setText("");
    return question(text, attachments.take());
  };
  const isEmpty = text.trim() === "" && files.length === 0;
  return { text, setText, attachments, isEmpty, hindrance: hindranceOf(files), take };
}

function hindranceOf(files: Attachments["list"]["value"]): string | null {
  if (files.some(({ state }) => state === "failed")) return "Remove the file that failed, then send";
  if (files.some(({ state }) => state !== "ready")) return "Uploading…";
  return null;
}

function useDraft(place: string): [string, (text: string) => void] {
  const [text, setText] = useState(() => readDraft(place));
  const change = (next: string) => {
    setText(next);
    keepDraft(place, next);
  };
  return [text, change];
}
