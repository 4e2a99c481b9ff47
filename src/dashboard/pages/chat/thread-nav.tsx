/** The sidebar of conversations; above the chat, and folded, on a narrow screen. */
import "./thread-nav.css";
import { shortId } from "../../ui/format.ts";
import { services } from "../../live/services.ts";
import { useStarted } from "../../live/use-started.ts";
import { href } from "../../router.ts";
import { Ago } from "../../ui/ago.tsx";
import { Button } from "../../ui/button.tsx";
import { ErrorNote } from "../../ui/error-note.tsx";
import { ThreadList, type ThreadRow } from "./thread-list.ts";
import { showHidden } from "../../ui/show-hidden.ts";

export function ThreadNav({ current }: { current: string | undefined }) {
  const list = useStarted(() => new ThreadList(services), []);
  return (
    <aside class="threads" aria-label="Conversations">
      <a class="button threads-new" href={href("chat")}>
        New chat
      </a>
      <details class="threads-fold" open={matchMedia("(width >= 64rem)").matches}>
        <summary>Conversations</summary>
        <Rows list={list} current={current} />
      </details>
    </aside>
  );
}

function Rows({ list, current }: { list: ThreadList; current: string | undefined }) {
  const rows = list.rows.value;
  const error = list.watch.error.value ?? list.error.value;
  if (!rows) return error && <ErrorNote error={error} onRetry={() => list.retry()} />;
  return (
    <>
      {error && <ErrorNote error={error} onRetry={() => list.retry()} />}
      {rows.length === 0 && <p class="mute threads-none">None yet.</p>}
      <ul>
        {rows.map((thread) => (
          <Row key={thread.thread_id} thread={thread} isCurrent={thread.thread_id === current} />
        ))}
      </ul>
      {list.hasMore.value && (
        <Button kind="quiet" onClick={() => list.loadMore()}>
          Load more
        </Button>
      )}
    </>
  );
}

function Row({ thread, isCurrent }: { thread: ThreadRow; isCurrent: boolean }) {
  const { thread_id: threadId, updated_at: updatedAt, runs, title } = thread;
  return (
    <li>
      <a
        class="threads-row"
        href={href("chat", threadId)}
        title={threadId}
        aria-current={isCurrent ? "page" : undefined}
      >
        <span class="threads-title" dir="auto">
          {showHidden(title) || shortId(threadId)}
        </span>
        <span class="threads-about">
          <span>{runs === 1 ? "1 turn" : `${runs} turns`}</span>
          <Ago at={updatedAt} />
        </span>
      </a>
    </li>
  );
}
