/** Files of the user: uploaded with progress, and looked up by id. The session's cookie goes along by itself. */
import type { FileInfo } from "../../api/files.ts";
import { MAX_FILE_NAME_CHARACTERS } from "../../core/limits.ts";
import { readAnswer, unreachable } from "./answer.ts";

export interface UploadOptions {
  /** The share that is sent, from 0 to 1. */
  readonly onProgress: (fraction: number) => void;
  readonly signal: AbortSignal;
}

/** The facts about a file in a response, without its bytes. */
export interface FileHead {
  readonly name: string | null;
  readonly mediaType: string | null;
  readonly bytes: number | null;
}

const ASK_AGAIN_MS = 1_000;

/** For links and pictures. Relative to the page, which may be served under a path of a proxy. */
export function fileHref(fileId: string): string {
  return `./api/files/${encodeURIComponent(fileId)}`;
}

/**
 * Uses XMLHttpRequest, because fetch() does not report the progress of an upload. @throws ApiError; the signal's reason
 * when it was aborted
 */
export function uploadFile(file: File, { onProgress, signal }: UploadOptions): Promise<FileInfo> {
  const name = (file.name || "file").slice(0, MAX_FILE_NAME_CHARACTERS);
  const request = new XMLHttpRequest();
  const { promise, resolve, reject } = Promise.withResolvers<FileInfo>();
  request.upload.addEventListener("progress", ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0));
  request.addEventListener("load", () => {
    const { status, statusText, responseText: text } = request;
    try {
      resolve(readAnswer({ status, statusText, text }) as FileInfo);
    } catch (error) {
      reject(error);
    }
  });
  request.addEventListener("error", () => reject(unreachable()));
  const abort = () => {
    request.abort();
    reject(signal.reason as Error);
  };
  signal.addEventListener("abort", abort, { once: true });
  request.addEventListener("loadend", () => signal.removeEventListener("abort", abort));
  request.open("POST", `./api/files?${new URLSearchParams({ name }).toString()}`);
  request.setRequestHeader("Accept", "application/json");
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.send(file);
  return promise;
}

/**
 * Asks again, ever more rarely, until the server answers or the signal is aborted. @param tell called with null when
 * there is no such file
 */
export async function askFileHead(
  fileId: string,
  signal: AbortSignal,
  tell: (head: FileHead | null) => void,
): Promise<void> {
  for (let pauseMs = ASK_AGAIN_MS; !signal.aborted; pauseMs *= 2) {
    const response = await fetch(fileHref(fileId), { method: "HEAD", signal }).catch(() => null);
    if (signal.aborted) return;
    if (response?.ok) return tell(headOf(response));
    if (response?.status === 404) return tell(null);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

function headOf({ headers }: Response): FileHead {
  const bytes = headers.get("content-length");
  return {
    name: nameIn(headers.get("content-disposition") ?? ""),
    mediaType: headers.get("content-type")?.split(";", 1)[0] ?? null,
    bytes: bytes === null ? null : Number(bytes),
  };
}

/** A name that is encoded wrongly is shown as it came. */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** RFC 6266: a name that is not plain ASCII has the extended form. */
function nameIn(disposition: string): string | null {
  const extended = /filename\*=UTF-8''([^;]+)/i.exec(disposition)?.[1];
  if (extended !== undefined) return decoded(extended);
  const [, quoted, plain] = /filename=(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))/i.exec(disposition) ?? [];
  return quoted?.replaceAll(/\\(.)/g, "$1") ?? plain ?? null;
}
