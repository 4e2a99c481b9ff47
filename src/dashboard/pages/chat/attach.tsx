/** Files that go with the next message: chosen by a button, pasted, or dropped anywhere on the page. */
import "./attach.css";
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { DOCUMENT_TYPES, IMAGE_TYPES } from "../../../core/file.ts";
import { services } from "../../live/services.ts";
import { FileView } from "../../run-view/file-view.tsx";
import { Button } from "../../ui/button.tsx";
import { Attachments, partsIn, type Attachment } from "./attachments.ts";
import { keepDraftFiles, readDraftFiles } from "./unsent.ts";

/** For the dialog that chooses files. Source files are text too, and no browser knows all their types. */
const ACCEPTED = [...IMAGE_TYPES, ...DOCUMENT_TYPES, "text/*", ".md", ".csv", ".json", ".log"].join(",");

/** Uploaded files are kept when the page leaves this conversation. @param place as of `readDraft` */
export function useAttachments(place: string): Attachments {
  const attachments = useMemo(() => new Attachments(services, readDraftFiles(place)), []);
  const list = attachments.list.value;
  useEffect(() => keepDraftFiles(place, partsIn(list)), [list, place]);
  useEffect(() => () => attachments.stop(), []);
  return attachments;
}

interface FormProps {
  readonly class: string;
  readonly label: string;
  readonly onSubmit: (event: Event) => void;
  readonly onFiles: (files: readonly File[]) => void;
  readonly children: ComponentChildren;
}

/** A form that takes files that are pasted into it or dropped on the window. */
export function FileForm({ class: name, label, onSubmit, onFiles, children }: FormProps) {
  const isOver = useFileDrop(onFiles);
  const onPaste = (event: ClipboardEvent) => {
    const pasted = filesOfPaste(event);
    if (pasted.length === 0) return;
    event.preventDefault();
    onFiles(pasted);
  };
  return (
    <form class={isOver ? `${name} takes-drop` : name} aria-label={label} onSubmit={onSubmit} onPaste={onPaste}>
      {children}
      {isOver && <p class="drop-note">Drop the files to attach them</p>}
    </form>
  );
}

export function AttachButton({ onFiles }: { onFiles: (files: readonly File[]) => void }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        accept={ACCEPTED}
        aria-label="Pictures and documents"
        onChange={({ currentTarget }) => {
          onFiles([...(currentTarget.files ?? [])]);
          // Clear the value; otherwise choosing the same file again would be no change.
          currentTarget.value = "";
        }}
      />
      <Button kind="quiet" title="Pictures, PDFs, text" onClick={() => input.current?.click()}>
        Attach
      </Button>
    </>
  );
}

export function AttachmentList({ attachments }: { attachments: Attachments }) {
  const list = attachments.list.value;
  const refused = attachments.refused.value;
  return (
    <>
      {list.length > 0 && (
        <ul class="attachments" aria-label="Attached files">
          {list.map((attachment) => (
            <Row key={attachment.key} attachment={attachment} onRemove={() => attachments.remove(attachment.key)} />
          ))}
        </ul>
      )}
      {refused !== null && (
        <p class="field-problem" role="alert">
          {refused}
        </p>
      )}
    </>
  );
}

function Row({ attachment, onRemove }: { attachment: Attachment; onRemove: () => void }) {
  const { name, state } = attachment;
  return (
    <li class="attachment">
      {state === "ready" && <FileView file={attachment.part} isSmall />}
      {state !== "ready" && <span class="attachment-name">{name}</span>}
      {state === "waiting" && <span class="mute">waits</span>}
      {state === "uploading" && <progress aria-label={`Uploading ${name}`} value={attachment.fraction} />}
      {state === "failed" && (
        <span class="text-bad" role="alert">
          {attachment.problem.detail}
        </span>
      )}
      <Button kind="quiet" label={state === "uploading" ? `Cancel ${name}` : `Remove ${name}`} onClick={onRemove}>
        ✕
      </Button>
    </li>
  );
}

/**
 * A browser opens a file that is dropped on a page, and leaves the page. So the whole window takes files while this
 * form is shown. @returns whether files are held over the window
 */
function useFileDrop(onFiles: (files: readonly File[]) => void): boolean {
  const [isOver, setOver] = useState(false);
  const take = useRef(onFiles);
  take.current = onFiles;
  useEffect(() => {
    const listening = new AbortController();
    const { signal } = listening;
    addEventListener(
      "dragover",
      (event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        setOver(true);
      },
      { signal },
    );
    // `relatedTarget` is the element that the pointer enters next: null means that it has left the window.
    addEventListener("dragleave", ({ relatedTarget }) => relatedTarget === null && setOver(false), { signal });
    addEventListener(
      "drop",
      (event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        setOver(false);
        take.current([...(event.dataTransfer?.files ?? [])]);
      },
      { signal },
    );
    return () => listening.abort();
  }, []);
  return isOver;
}

function hasFiles({ dataTransfer }: DragEvent): boolean {
  return dataTransfer?.types.includes("Files") === true;
}

/** Office programs put a picture of copied text beside the text; then the person means the text. */
function filesOfPaste({ clipboardData }: ClipboardEvent): File[] {
  const types = clipboardData?.types ?? [];
  const isRichText = types.includes("text/plain") && (types.includes("text/html") || types.includes("text/rtf"));
  return isRichText ? [] : [...(clipboardData?.files ?? [])];
}
