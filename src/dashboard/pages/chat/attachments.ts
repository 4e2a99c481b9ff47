/**
 * Files that go with the next message. Each is checked here by the server's own rules and uploaded at once; the message
 * carries only its id. Leaving the conversation ends the uploads that are under way.
 */
import { signal } from "@preact/signals";
import type { FileInfo } from "../../../api/files.ts";
import { HEAD_BYTES, isImage, mediaTypeOf } from "../../../core/file.ts";
import { newId } from "../../../core/id.ts";
import { MAX_FILE_BYTES, MAX_MESSAGE_PARTS } from "../../../core/limits.ts";
import { problemOf, type Problem } from "../../live/api-error.ts";
import type { Services } from "../../live/services.ts";
import type { FilePart } from "../../run-view/question.ts";
import { bytes } from "../../ui/format.ts";

export type Attachment = { readonly key: string; readonly name: string } & (
  | { readonly state: "waiting" }
  /** `fraction` is from 0 to 1. */
  | { readonly state: "uploading"; readonly fraction: number }
  | { readonly state: "ready"; readonly part: FilePart }
  | { readonly state: "failed"; readonly problem: Problem }
);

/** Maximum number of files. One block of a message stays free for its text. */
const MAX_FILES = MAX_MESSAGE_PARTS - 1;
/** Uploads at once. A browser opens six connections to a server, and the page needs some of them. */
const UPLOADS_AT_ONCE = 3;

interface Upload {
  readonly key: string;
  readonly file: File;
}

export class Attachments {
  readonly list = signal<readonly Attachment[]>([]);
  /** Why some files were not accepted. */
  readonly refused = signal<string | null>(null);
  readonly #upload: Services["api"]["upload"];
  /** At most MAX_FILES. */
  readonly #waiting: Upload[] = [];
  readonly #underWay = new Map<string, AbortController>();

  constructor({ api }: Services, parts: readonly FilePart[] = []) {
    this.#upload = api.upload;
    this.list.value = parts.map(readyOf);
  }

  add(files: readonly File[]): void {
    const taken = files.slice(0, Math.max(0, MAX_FILES - this.list.value.length));
    this.refused.value = taken.length < files.length ? `A message takes ${MAX_FILES} files at most.` : null;
    const uploads = taken.map((file) => ({ key: newId("upload"), file }));
    this.list.value = [
      ...this.list.value,
      ...uploads.map(({ key, file }) => ({ key, name: file.name, state: "waiting" }) as const),
    ];
    this.#waiting.push(...uploads);
    this.#next();
  }

  /** Removes a file, and ends its upload if that is under way. */
  remove(key: string): void {
    this.refused.value = null;
    this.#underWay.get(key)?.abort();
    this.list.value = this.list.value.filter((attachment) => attachment.key !== key);
  }

  /** Puts the files of a message that was taken back in front of the present files. */
  restore(parts: readonly FilePart[]): void {
    this.list.value = [...parts.map(readyOf), ...this.list.value].slice(0, MAX_FILES);
  }

  /** Called when the message is sent. @returns the uploaded files */
  take(): FilePart[] {
    const parts = partsIn(this.list.value);
    this.stop();
    this.list.value = [];
    return parts;
  }

  stop(): void {
    this.#waiting.length = 0;
    for (const upload of this.#underWay.values()) upload.abort();
  }

  #next(): void {
    while (this.#underWay.size < UPLOADS_AT_ONCE) {
      const next = this.#waiting.shift();
      if (!next) return;
      if (this.list.value.some(({ key }) => key === next.key)) void this.#send(next);
    }
  }

  async #send({ key, file }: Upload): Promise<void> {
    const cancel = new AbortController();
    this.#underWay.set(key, cancel);
    const { signal } = cancel;
    const onProgress = (fraction: number) => this.#become(key, { state: "uploading", fraction });
    try {
      const problem = await problemWith(file);
      if (problem) return this.#become(key, { state: "failed", problem });
      signal.throwIfAborted();
      onProgress(0);
      const info = await this.#upload(file, { onProgress, signal });
      this.#become(key, { state: "ready", part: partOf(info, file.name) });
    } catch (error) {
      if (!signal.aborted) this.#become(key, { state: "failed", problem: problemOf(error) });
    } finally {
      this.#underWay.delete(key);
      this.#next();
    }
  }

  #become(key: string, next: DistributiveOmit<Attachment, "key" | "name">): void {
    this.list.value = this.list.value.map((old) => (old.key === key ? { key, name: old.name, ...next } : old));
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

export function partsIn(list: readonly Attachment[]): FilePart[] {
  return list.flatMap((attachment) => (attachment.state === "ready" ? [attachment.part] : []));
}

function readyOf(part: FilePart): Attachment {
  return {
    key: newId("upload"),
    name: part.name ?? (part.type === "image" ? "Picture" : "Document"),
    state: "ready",
    part,
  };
}

/** The server stores the same bytes once, under their first name; here the file has the name that the person chose. */
function partOf({ file_id, media_type: type }: FileInfo, name: string): FilePart {
  return { type: isImage(type) ? "image" : "document", source: { type: "file", file_id }, name };
}

/** The refusal that the server would send after the whole upload. */
async function problemWith(file: File): Promise<Problem | null> {
  if (file.size > MAX_FILE_BYTES) {
    const detail = `It is larger than ${bytes(MAX_FILE_BYTES)}.`;
    return { code: "BODY_TOO_LARGE", detail };
  }
  // Reading fails for a folder that was dropped here, and for a file that no longer exists.
  const head = await file
    .slice(0, HEAD_BYTES)
    .bytes()
    .catch(() => null);
  if (head === null) return { code: "INVALID_REQUEST", detail: "It cannot be read. Is it a folder?" };
  if (mediaTypeOf(head)) return null;
  const detail = "It is no PNG, JPEG, GIF or WebP picture, no PDF, and no text in UTF-8.";
  return { code: "UNSUPPORTED_MEDIA_TYPE", detail };
}
