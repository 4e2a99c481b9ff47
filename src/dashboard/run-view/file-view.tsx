/**
 * A picture or document of a message. A picture that the server has is shown. A picture at another address is a link,
 * because the page sends requests only to its own server. A document is a link that saves it; it never opens as a page
 * of ours.
 */
import "./file-view.css";
import { useEffect, useState } from "preact/hooks";
import { askFileHead, fileHref, type FileHead } from "../live/files.ts";
import { bytes } from "../ui/format.ts";
import type { FilePart } from "./question.ts";

interface Props {
  readonly file: FilePart;
  /** Shown one or two lines high. */
  readonly isSmall?: boolean;
}

/** A picture that the server has and the browser cannot draw is not asked for without end. */
const MAX_FAILURES = 3;
const KINDS: Readonly<Record<string, string>> = { "application/pdf": "PDF", "text/plain": "Text" };

export function FileView({ file, isSmall = false }: Props) {
  const { source, type, name } = file;
  if (source.type === "url") return <Elsewhere url={source.url} what={type === "image" ? "Picture" : "Document"} />;
  if (type === "image") return <Picture fileId={source.file_id} name={name} isSmall={isSmall} />;
  return <Document fileId={source.file_id} name={name} />;
}

function Elsewhere({ url, what }: { url: string; what: string }) {
  return (
    <a class="file" href={url} target="_blank" rel="noopener noreferrer" dir="ltr">
      <span class="file-kind">{what}</span>
      <span class="file-name">{url}</span>
    </a>
  );
}

interface StoredProps {
  readonly fileId: string;
  readonly name: string | undefined;
}

function Picture({ fileId, name, isSmall }: StoredProps & { isSmall: boolean }) {
  const [failures, setFailures] = useState(0);
  const [loads, setLoads] = useState(0);
  const [isGone, setGone] = useState(false);
  useEffect(() => {
    if (failures === 0) return undefined;
    const asking = new AbortController();
    void askFileHead(fileId, asking.signal, (head) => (head ? setLoads(failures) : setGone(true)));
    return () => asking.abort();
  }, [fileId, failures]);
  if (isGone) return <Gone what={name ?? "Picture"} />;
  return (
    <a class={isSmall ? "picture picture-small" : "picture"} href={fileHref(fileId)} target="_blank" rel="noopener">
      <img
        key={loads}
        src={fileHref(fileId)}
        alt={name ?? "Picture"}
        loading="lazy"
        decoding="async"
        onError={() => setFailures(Math.min(MAX_FAILURES, failures + 1))}
      />
    </a>
  );
}

function Document({ fileId, name }: StoredProps) {
  const head = useFileHead(fileId);
  const shown = name ?? head?.name ?? "Document";
  if (head === null) return <Gone what={shown} />;
  return (
    <a class="file" href={fileHref(fileId)} download={shown}>
      <span class="file-kind">{KINDS[head?.mediaType ?? ""] ?? "Document"}</span>
      <span class="file-name" dir="auto">
        {shown}
      </span>
      {typeof head?.bytes === "number" && <span class="num mute">{bytes(head.bytes)}</span>}
    </a>
  );
}

function Gone({ what }: { what: string }) {
  return (
    <span class="file">
      <span class="file-name" dir="auto">
        {what}
      </span>
      <span class="mute">cannot be loaded; it may be deleted</span>
    </span>
  );
}

/** Undefined until the server answers; null when it has no such file. */
function useFileHead(fileId: string): FileHead | null | undefined {
  const [head, setHead] = useState<FileHead | null>();
  useEffect(() => {
    const asking = new AbortController();
    void askFileHead(fileId, asking.signal, setHead);
    return () => asking.abort();
  }, [fileId]);
  return head;
}
